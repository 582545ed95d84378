"""CIFAR-10 variational autoencoder of plain layers, with a Gaussian, Bernoulli or discretised logistic decoder.

Architecture: a TensorFlow 2 book, chapter on variational autoencoders: images flattened to 3072, hidden 500, code 500,
Gaussian encoder, Adam; the test ELBO and the seconds of each epoch are printed. Classic training: ``--batch 32 --rate
1e-4 --epochs 100``; here batch 128, 3e-4 with a cosine, 20 epochs.
Differs: a Bernoulli decoder is given bits, not grey colour pixels, which have no Bernoulli likelihood; the decoder's
variance is its own (the book assigns it to the encoder); the divergence is exact instead of one draw of it.
"""

from reverie.arguments import Count, Rate, Steps, Weight
from reverie.data import ImageSpec
from reverie.engine.plan import Plan, cosine
from reverie.models.vae import VAE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.objectives.elbo import Bound
from reverie.priors import StandardNormal
from reverie.recipes._parts import Binarise, Likelihood, adam, observe, posterior_flow

DATA = "cifar10"
TINY = {"hidden": 16, "latent": 4, "batch": 16}
TARGETS = ()  # the source prints test ELBOs of a Bernoulli over grey pixels, which is no likelihood


def run(
    data: ImageSpec,
    *,
    latent: Count = 500,
    hidden: Count = 500,
    beta: Weight = 1.0,
    flow: Steps = 0,
    flow_hidden: Count = 320,
    likelihood: Likelihood = "gaussian",
    binarise: Binarise = "dynamic",
    rate: Rate = 3e-4,
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
        likelihood: gaussian (one learned variance), bernoulli (bits) or logistic (8-bit levels, bits per dimension).
        binarise: how pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        rate: of Adam, at its peak.
        batch: images a step.
    """
    view, observation = observe(likelihood, binarise, data)
    through, context = posterior_flow(latent, hidden, flow, (flow_hidden, flow_hidden))
    encoder = mlp_encoder(data.shape, (hidden,), 2 * latent + context)
    decoder = mlp_decoder(latent, (hidden,), data.shape)
    return Plan(
        model=VAE(encoder, decoder, observation, StandardNormal(latent), flow=through, objective=Bound(beta=beta)),
        view=view,
        optimizers={"vae": adam(rate)},
        schedule=cosine(),
        batch=batch,
        epochs=20,
        watch=10_000,
        pictures={"samples": {}, "reconstructions": {}, "interpolation": {}},
    )
