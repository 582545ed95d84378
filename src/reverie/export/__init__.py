"""Exports: ONNX graphs, a folder in the Hub's layout, and one page that explores a model without Python."""
