"""Fashion-MNIST variational autoencoder with a plane of codes on an adjustable grid.

Architecture: the TensorFlow.js book, chapter "generative deep learning": 784-512, mean and log-variance of 2 numbers,
512-784, ReLU, sigmoid output, Adam, batch 256 (5 epochs in the text, 100 on its command line, 30 here by default); the
manifold on a linear grid of 30x30 points over [-4, 4], whose bounds and points are arguments of ``reverie manifold``.
Differs: the book's cost, mean squared error times 784 plus divergence, is a Gaussian with variance 1/2 whose constant
is left out; here the Gaussian has one learned variance and the figure is a density in nats of values in [0, 1].
"""

from torch import nn

from reverie.arguments import Count, Rate, Steps, Weight
from reverie.data import ImageSpec
from reverie.engine.plan import Plan, cosine
from reverie.models.vae import VAE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.objectives.elbo import Bound
from reverie.priors import StandardNormal
from reverie.recipes._parts import Binarise, Likelihood, adam, observe, posterior_flow

DATA = "fashion-mnist"
TINY = {"hidden": 16, "batch": 16}
TARGETS = ()  # the source gives "a good loss of 40 to 50" of another cost


def run(
    data: ImageSpec,
    *,
    latent: Count = 2,
    hidden: Count = 512,
    beta: Weight = 1.0,
    flow: Steps = 0,
    flow_hidden: Count = 320,
    likelihood: Likelihood = "gaussian",
    binarise: Binarise = "dynamic",
    rate: Rate = 1e-3,
    batch: Count = 256,
) -> Plan:
    """The variational autoencoder for images of any shape.

    Args:
        data: shape and classes of the images.
        latent: numbers in the code.
        hidden: units of the layer on each side.
        beta: weight of the divergence; 1 is the bound of the likelihood.
        flow: steps of an inverse autoregressive flow that the posterior goes through; 0 for none.
        flow_hidden: units of each of the two hidden layers of a step.
        likelihood: gaussian (one learned variance, sigmoid mean), bernoulli (bits) or logistic (8-bit levels).
        binarise: how grey pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        rate: of Adam, at its peak.
        batch: images a step.
    """
    view, observation = observe(likelihood, binarise, data)
    sigmoid = nn.Sigmoid if view.name == "unit" else None
    through, context = posterior_flow(latent, hidden, flow, (flow_hidden, flow_hidden))
    encoder = mlp_encoder(data.shape, (hidden,), 2 * latent + context)
    decoder = mlp_decoder(latent, (hidden,), data.shape, output=sigmoid)
    plane = (
        {"manifold": {"points": (30, 30), "x": (-4.0, 4.0), "y": (-4.0, 4.0), "kind": "linear"}} if latent > 1 else {}
    )
    return Plan(
        model=VAE(encoder, decoder, observation, StandardNormal(latent), flow=through, objective=Bound(beta=beta)),
        view=view,
        optimizers={"vae": adam(rate)},
        schedule=cosine(),
        batch=batch,
        epochs=30,
        pictures={**plane, "samples": {}, "reconstructions": {}, "codes": {}},
    )
