"""CIFAR-10 variational autoencoder whose posterior goes through an inverse autoregressive flow.

Architecture: a TensorFlow 2 book, chapter on variational autoencoders, after Kingma et al. 2016 (1606.04934): images
flattened to 3072, hidden 500, code 500; an encoder that gives mean, log-variance and a context h; three networks of one
hidden layer of 500 that take z and h and give m and s, ``z' = sigmoid(s) z + (1 - sigmoid(s)) m``; a Bernoulli or
Gaussian decoder of one hidden layer of 500; Adam 1e-4, batch 32, 100 epochs (20 here by default); the test ELBO and the
seconds of each epoch, and the reconstructions of 10 images. ``--flow 0`` is the same model without the flow.
Differs: the networks are masked, so that the Jacobian is triangular and the sum of log sigma is its log-determinant
(the book's are plain layers, with which that sum is wrong and the bound none); the order is reversed after each step;
codes go through the flow in the second half of the training, from the identity on, and the divergence's weight rises
over the first quarter (``--flow-from 0 --warmup 0`` for neither; docs/flows.md has what happens then); the outputs also
see z directly; ReLU in encoder and decoder, ELU in the flow. A Bernoulli decoder is given bits, not grey colour pixels,
which have no Bernoulli likelihood. A Gaussian decoder's variance is its own, one for all pixels (the book assigns it to
the encoder). Without a flow the divergence is exact instead of one draw of it.
"""

from reverie.arguments import Count, Fraction, Rate, Steps, Weight
from reverie.data import ImageSpec
from reverie.engine.plan import Plan
from reverie.models.vae import VAE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.objectives.elbo import Bound
from reverie.priors import StandardNormal
from reverie.recipes._parts import Binarise, Likelihood, adam, normalise_weights, observe, posterior_flow, tell_context

DATA = "cifar10"
TINY = {"hidden": 16, "latent": 4, "flow_hidden": 8, "batch": 16}
TARGETS = ()  # the source prints a bound of a wrong log-determinant and a Bernoulli over grey pixels: no likelihood


def run(
    data: ImageSpec,
    *,
    latent: Count = 500,
    hidden: Count = 500,
    flow: Steps = 3,
    flow_hidden: Count = 500,
    flow_from: Fraction = 0.5,
    beta: Weight = 1.0,
    warmup: Fraction = 0.25,
    likelihood: Likelihood = "gaussian",
    binarise: Binarise = "dynamic",
    weight_norm: bool = False,
    rate: Rate = 1e-4,
    batch: Count = 32,
) -> Plan:
    """The variational autoencoder with inverse autoregressive flow for images of any shape.

    Args:
        data: shape and classes of the images.
        latent: numbers in the code, and in the context that the flow is told.
        hidden: units of the layer on each side.
        flow: steps of the flow that the posterior goes through; 0 for none.
        flow_hidden: units of the hidden layer of a step.
        flow_from: part of the budget after which codes go through the flow; before, the posterior is the Gaussian.
        beta: weight of the divergence; 1 is the bound of the likelihood.
        warmup: part of the budget over which that weight rises from 0.
        likelihood: gaussian (one learned variance), bernoulli (bits) or logistic (8-bit levels, bits per dimension).
        binarise: how pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        weight_norm: whether weights are normalised, and set so that over the first batch every unit has mean 0 and
            variance 1, an output a hundredth of that.
        rate: of Adam.
        batch: images a step.
    """
    view, observation = observe(likelihood, binarise, data)
    encoder = mlp_encoder(data.shape, (hidden,), 2 * latent)
    decoder = mlp_decoder(latent, (hidden,), data.shape)
    through, context = posterior_flow(latent, latent, flow, (flow_hidden,), flow_from)
    tell_context(encoder, context)
    model = VAE(
        encoder,
        decoder,
        observation,
        StandardNormal(latent),
        flow=through,
        objective=Bound(beta=beta, warmup=warmup),
    )
    return Plan(
        model=model,
        view=view,
        optimizers={"vae": adam(rate)},
        batch=batch,
        epochs=20,
        watch=10_000,
        begin=normalise_weights(model) if weight_norm else None,
        pictures={"samples": {}, "reconstructions": {"n": 10}, "interpolation": {}},
    )
