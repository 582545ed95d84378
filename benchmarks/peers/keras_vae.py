"""The convolutional VAE in Keras 3 with TensorFlow: a custom train_step under fit, compiled to a graph."""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers


class VAE(keras.Model):
    def __init__(self):
        super().__init__()
        x = keras.Input((28, 28, 1))
        y = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
        y = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(y)
        y = layers.Conv2D(64, 3, padding="same", activation="relu")(y)
        y = layers.Conv2D(64, 3, padding="same", activation="relu")(y)
        y = layers.Dense(32, activation="relu")(layers.Flatten()(y))
        self.encoder = keras.Model(x, [layers.Dense(2)(y), layers.Dense(2)(y)])
        z = keras.Input((2,))
        y = layers.Reshape((14, 14, 64))(layers.Dense(12544, activation="relu")(z))
        y = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(y)
        self.decoder = keras.Model(z, layers.Conv2D(1, 3, padding="same")(y))

    def train_step(self, x):
        with tf.GradientTape() as tape:
            mean, log_variance = self.encoder(x, training=True)
            z = mean + tf.exp(log_variance / 2) * tf.random.normal(tf.shape(mean))
            error = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=self.decoder(z, training=True))
            kl = -0.5 * tf.reduce_sum(1 + log_variance - mean**2 - tf.exp(log_variance), axis=1)
            loss = tf.reduce_mean(tf.reduce_sum(error, axis=(1, 2, 3)) + kl)
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return {"loss": loss}


class Done(Exception):
    """Enough was measured."""


class Clock(keras.callbacks.Callback):
    """Counts batches from the sixth on, and ends after the given seconds."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.batches, self.began = seconds, -6, 0.0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches == 0:
            self.began = time.perf_counter()
        elif self.batches > 0 and time.perf_counter() - self.began > self.seconds:
            self.took = time.perf_counter() - self.began
            raise Done


def main(path, batch, seconds):
    x = (np.load(path)[..., None] > 127).astype("float32")
    model, clock = VAE(), Clock(seconds)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    try:
        model.fit(x, batch_size=batch, epochs=1000, verbose=0, callbacks=[clock])
    except Done:
        print(json.dumps({"images_per_second": clock.batches * batch / clock.took}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
