"""The recurrent model of characters in Keras 3 with TensorFlow: the recipe's network, a target at every position."""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
from keras import layers
from keras_vae import Clock, Done

WINDOW = 64


def main(path, batch, seconds):
    text = Path(path).read_text(encoding="utf-8")
    place = {symbol: i for i, symbol in enumerate(sorted(set(text)))}
    ids = np.array([place[symbol] for symbol in text])
    rows = len(ids) // (batch * WINDOW) * batch
    x, y = (ids[i : i + rows * WINDOW].reshape(rows, WINDOW) for i in (0, 1))
    model = keras.Sequential(
        [
            keras.Input((WINDOW,), dtype="int32"),
            layers.Embedding(len(place), 64),
            layers.LSTM(512, return_sequences=True),
            layers.Dropout(0.5, noise_shape=(None, 1, 512)),
            layers.Dense(len(place)),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.AdamW(2e-3, weight_decay=0.01, clipnorm=1.0), loss=loss)
    clock = Clock(seconds)
    try:
        model.fit(x, y, batch_size=batch, epochs=1000, verbose=0, callbacks=[clock])
    except Done:
        print(json.dumps({"images_per_second": clock.batches * batch * WINDOW / clock.took}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
