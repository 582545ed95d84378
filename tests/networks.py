"""A stand-in for the network of the FID: an ONNX graph so simple that NumPy computes it too."""

from pathlib import Path

import numpy as np

SIDE, WIDTH = 299, 2048
CELLS, CELL = 13, 23  # the stand-in sees the means of 13 x 13 cells of 23 x 23 pixels
MIX = np.random.default_rng(0).normal(size=(3 * CELLS**2, WIDTH)).astype(np.float32) / 20


def stand_in(path: Path, *, width: int = WIDTH, side: int = SIDE, batch: str | int = "n", pooled: bool = False) -> Path:
    """A graph of a mean over cells, a product and a rectifier."""
    import onnx

    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("AveragePool", ["x"], ["cells"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("MatMul", ["flat", "mix"], ["mixed"]),
        helper.make_node("Relu", ["mixed"], ["y"]),
    ]
    shape = [batch, width]
    if pooled:
        nodes.append(helper.make_node("Unsqueeze", ["y", "axes"], ["z"]))
        shape = [batch, width, 1, 1]
    given = [helper.make_tensor_value_info("x", kind, [batch, 3, side, side])]
    made = [helper.make_tensor_value_info("z" if pooled else "y", kind, shape)]
    known = [onnx.numpy_helper.from_array(x, name) for name, x in (("mix", MIX[:, :width]), ("axes", np.array([2, 3])))]
    graph = helper.make_graph(nodes, "stand-in", given, made, known)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path
