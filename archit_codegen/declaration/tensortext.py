"""Expressions for the values of small or regular tensors."""

import torch

from .literal import write_literal

MOST = 64


def tensor_text(tensor: torch.Tensor, *, dtype: bool) -> str | None:
    """An expression that makes an equal tensor: filled, counting, or value by value up to 64; None for any other.

    ``dtype`` says whether the text has to name it.
    """
    values = tensor.detach().cpu()
    named = f", dtype={values.dtype}" if dtype else ""
    shape = ", ".join(map(str, values.shape)) or "()"
    if not values.numel() or bool((values == values.flatten()[0]).all()):
        return _filled(values, shape, named)
    count = torch.arange(values.numel(), dtype=values.dtype) if values.dtype == torch.int64 else None
    if count is not None and torch.equal(values.flatten(), count):
        text = f"torch.arange({values.numel()})"
        return text if values.dim() == 1 else f"{text}.reshape({shape})"
    if values.numel() > MOST:
        return None
    return f"torch.tensor({write_literal(values.tolist())}{named})"


def _filled(values: torch.Tensor, shape: str, named: str) -> str:
    first = values.flatten()[0].item() if values.numel() else 0
    if first == 0 and not bool(values.signbit().any()):
        return f"torch.zeros({shape}{named})"
    if first == 1:
        return f"torch.ones({shape}{named})"
    size = f"({shape})" if values.dim() > 1 else f"({shape},)" if values.dim() else "()"
    return f"torch.full({size}, {write_literal(first)}{named})"
