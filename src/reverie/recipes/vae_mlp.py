"""MLP variational autoencoder with squared error, the tutorial's step from autoencoder to generative model.

Architecture: the PyTorch tutorial "unsupervised learning": 784-400-20-400-784, ReLU, tanh output, squared error plus
divergence, Adam 1e-3, batch 128. Squared error is the Gaussian with unit variance, and the reported figures contain its
constant: nats of a density of values in [-1, 1].
Differs: the likelihood is 1/2 |x - m|^2, as the unit Gaussian has it (the tutorial leaves out the 1/2, which is a
``beta`` of 1/2); pixels are scaled to [-1, 1], which tanh can reach.
"""

from reverie.arguments import Count, Rate, Steps, Weight
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.distributions import unit_gaussian
from reverie.engine.plan import Plan
from reverie.models.vae import VAE
from reverie.nn.dense import WideTanh
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.objectives.elbo import Bound
from reverie.priors import StandardNormal
from reverie.recipes._parts import adam, posterior_flow

DATA = "mnist"
TINY = {"hidden": 16, "latent": 2, "batch": 16}
TARGETS = ()  # the source gives pictures and no figure


def run(
    data: ImageSpec,
    *,
    latent: Count = 20,
    hidden: Count = 400,
    beta: Weight = 1.0,
    flow: Steps = 0,
    flow_hidden: Count = 320,
    rate: Rate = 1e-3,
    batch: Count = 128,
) -> Plan:
    """The variational autoencoder for images of any shape.

    Args:
        data: shape and classes of the images.
        latent: numbers in the code.
        hidden: units of the layer on each side.
        beta: weight of the divergence; 1 is the bound of the likelihood.
        flow: steps of an inverse autoregressive flow that the posterior goes through; 0 for none.
        flow_hidden: units of each of the two hidden layers of a step.
        rate: of Adam.
        batch: images a step.
    """
    through, context = posterior_flow(latent, hidden, flow, (flow_hidden, flow_hidden))
    encoder = mlp_encoder(data.shape, (hidden,), 2 * latent + context)
    decoder = mlp_decoder(latent, (hidden,), data.shape, output=WideTanh)
    return Plan(
        model=VAE(encoder, decoder, unit_gaussian, StandardNormal(latent), flow=through, objective=Bound(beta=beta)),
        view=symmetric(),
        optimizers={"vae": adam(rate)},
        batch=batch,
        epochs=20,
        pictures={"samples": {}, "reconstructions": {}, "interpolation": {}, "traversal": {}},
    )
