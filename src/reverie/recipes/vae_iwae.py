"""Importance-weighted autoencoder: a VAE trained on a tighter bound, from k draws for each image.

Architecture: Burda, Grosse and Salakhutdinov 2016, "Importance weighted autoencoders", with one stochastic layer:
784-200-200, mean and log-variance of 50 numbers, and 50-200-200-784, tanh, Bernoulli; pixels are bits drawn anew each
time; k is 1 (the VAE), 5 or 50. Classic training: Adam with epsilon 1e-4, batch 20, 3280 epochs in eight stages of 3^i
epochs at rates 1e-3 * 10^(-i/7).
Differs: Adam's own epsilon and one cosine over 50 epochs with batch 100, for minutes instead of days; weights as
PyTorch starts them; output biases start at 0 and not at the log-odds of the training mean, which a recipe is not told.
"""

from torch import nn

from reverie.arguments import Count, Rate
from reverie.data import ImageSpec
from reverie.engine.plan import Plan, cosine
from reverie.models.vae import VAE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.objectives.elbo import Bound
from reverie.priors import StandardNormal
from reverie.recipes._parts import Binarise, Likelihood, adam, observe

DATA = "mnist"
TINY = {"hidden": 16, "latent": 2, "batch": 16, "k": 2}
TARGETS = ()  # the paper's figures need its 3280 epochs


def run(
    data: ImageSpec,
    *,
    k: Count = 5,
    latent: Count = 50,
    hidden: Count = 200,
    likelihood: Likelihood = "auto",
    binarise: Binarise = "dynamic",
    rate: Rate = 1e-3,
    batch: Count = 100,
) -> Plan:
    """The importance-weighted autoencoder for images of any shape.

    Args:
        data: shape and classes of the images.
        k: draws of the bound that is trained; 1 is the variational autoencoder.
        latent: numbers in the code.
        hidden: units of each of the two layers on each side.
        likelihood: bernoulli (bits), gaussian (one learned variance), logistic (8-bit levels); auto takes bernoulli for
            grey images, else gaussian.
        binarise: how grey pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        rate: of Adam, at its peak.
        batch: images a step.
    """
    view, observation = observe(likelihood, binarise, data)
    model = VAE(
        mlp_encoder(data.shape, (hidden, hidden), 2 * latent, nn.Tanh),
        mlp_decoder(latent, (hidden, hidden), data.shape, nn.Tanh),
        observation,
        StandardNormal(latent),
        objective=Bound(k=k),
    )
    return Plan(
        model=model,
        view=view,
        optimizers={"vae": adam(rate)},
        schedule=cosine(),
        batch=batch,
        epochs=50,
        pictures={"samples": {}, "reconstructions": {}, "interpolation": {}, "traversal": {}},
    )
