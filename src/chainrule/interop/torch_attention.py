"""PyTorch's modules of attention and transformers, made of linear maps and products: what torch.fx can follow, with the same weights."""

# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false
# (Where PyTorch is not installed.)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.fx import wrap

from chainrule.errors import OptionError


def blocked(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Scores without those where a mask is true, or with a mask of numbers added."""
    return scores.masked_fill(mask, float("-inf")) if mask.dtype == torch.bool else scores + mask


wrap("blocked")


class Attention(nn.Module):
    """What torch.nn.MultiheadAttention does."""

    def __init__(self, given: nn.MultiheadAttention) -> None:
        super().__init__()
        if not given.batch_first or given.bias_k is not None or given.add_zero_attn:
            raise OptionError(
                "a MultiheadAttention with batch_first=False, add_bias_kv or add_zero_attn",
                expected="torch.nn.MultiheadAttention(..., batch_first=True)",
                remedy="make it so: the weights are the same, and inputs are (batch, time, features)",
            )
        own: Any = given._qkv_same_embed_dim  # pyright: ignore[reportPrivateUsage]
        weights: Any = given.in_proj_weight.chunk(3) if own else (given.q_proj_weight, given.k_proj_weight, given.v_proj_weight)
        bias: Any = given.in_proj_bias
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        self.query, self.key, self.value = (_linear(*pair) for pair in zip(weights, biases, strict=True))
        self.out, self.drop = _linear(given.out_proj.weight, given.out_proj.bias), nn.Dropout(given.dropout)
        self.heads, self.size = given.num_heads, given.head_dim

    def _split(self, x: Any) -> Any:
        return x.view(x.shape[0], x.shape[1], self.heads, self.size).transpose(1, 2)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> Any:
        """The answer; the shares, which nobody may read, are left out."""
        _require_none(key_padding_mask)
        q, k, v = self._split(self.query(query)), self._split(self.key(key)), self._split(self.value(value))
        scores = (q @ k.transpose(-2, -1)) * self.size**-0.5
        scores = scores if attn_mask is None else blocked(scores, attn_mask)
        found = self.drop(torch.softmax(scores, dim=-1)) @ v
        return self.out(found.transpose(1, 2).reshape(query.shape[0], query.shape[1], self.heads * self.size)), None


class Layer(nn.Module):
    """What torch.nn.TransformerEncoderLayer does, and TransformerDecoderLayer."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.attention, self.first = Attention(given.self_attn), given.norm_first
        self.linear1, self.linear2 = given.linear1, given.linear2
        self.dropout, self.activation = given.dropout, given.activation
        self.norms = nn.ModuleList(each for name in ("norm1", "norm2", "norm3") if (each := getattr(given, name, None)))
        self.drops = nn.ModuleList(
            each for name in ("dropout1", "dropout2", "dropout3") if (each := getattr(given, name, None))
        )
        self.other = Attention(given.multihead_attn) if hasattr(given, "multihead_attn") else None

    def _around(self, place: int, x: Any, inner: Callable[[Any], Any]) -> Any:
        norm, drop = self.norms[place], self.drops[place]
        return x + drop(inner(norm(x))) if self.first else norm(x + drop(inner(x)))

    def _encoded(self, x: Any, mask: Any, memory: Any = None, memory_mask: Any = None) -> Any:
        x = self._around(0, x, lambda h: self.attention(h, h, h, attn_mask=mask)[0])
        if (other := self.other) is not None:
            x = self._around(1, x, lambda h: other(h, memory, memory, attn_mask=memory_mask)[0])
        return self._around(len(self.norms) - 1, x, lambda h: self.linear2(self.dropout(self.activation(self.linear1(h)))))


class EncoderLayer(Layer):
    """One layer of an encoder."""

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """What the layer makes."""
        _require_none(src_key_padding_mask)
        return self._encoded(src, src_mask)


class Decoding:
    """What decoders and their layers are given, in PyTorch's order."""

    _decoded: Callable[..., Any]

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """What the last layer makes."""
        _require_none(tgt_key_padding_mask, memory_key_padding_mask)
        return self._decoded(tgt, memory, tgt_mask, memory_mask)


class DecoderLayer(Decoding, Layer):
    """One layer of a decoder."""

    def _decoded(self, tgt: Any, memory: Any, tgt_mask: Any, memory_mask: Any) -> Any:
        return self._encoded(tgt, tgt_mask, memory, memory_mask)


class Stack(nn.Module):
    """What torch.nn.TransformerEncoder does, and TransformerDecoder."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.layers, self.norm = given.layers, given.norm

    def _passed(self, x: Any, *others: Any) -> Any:
        for layer in self.layers:
            x = layer(x, *others)
        return x if self.norm is None else self.norm(x)


class Encoder(Stack):
    """The layers of an encoder, one behind the other."""

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None) -> Any:
        """What the last layer makes."""
        return self._passed(src, mask, src_key_padding_mask)


class Decoder(Decoding, Stack):
    """The layers of a decoder, one behind the other."""

    def _decoded(self, *given: Any) -> Any:
        return self._passed(*given)


class Both(nn.Module):
    """What torch.nn.Transformer does: an encoder, and a decoder that looks at what it makes."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.encoder, self.decoder = given.encoder, given.decoder

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """What the decoder's last layer makes."""
        memory = self.encoder(src, src_mask, src_key_padding_mask)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)


class Pair(nn.Module):
    """A module of PyTorch's that takes two inputs, as a part: what torch.fx follows is made from outside."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, one: Any, other: Any) -> Any:
        """What the module makes."""
        return self.inner(one, other)


PLAIN: dict[type[nn.Module], Any] = {
    nn.MultiheadAttention: Attention, nn.TransformerEncoderLayer: EncoderLayer, nn.TransformerDecoderLayer: DecoderLayer,
    nn.TransformerEncoder: Encoder, nn.TransformerDecoder: Decoder,
    nn.Transformer: Both,
}  # fmt: skip


def plainly(module: nn.Module) -> nn.Module:
    """A module with those inside it that torch.fx takes as a whole made of plain ones; the weights are shared."""
    own: Any = type(module)
    found = PLAIN[own](module) if own in PLAIN else _shallow(module)
    for name, part in found.named_children():
        setattr(found, name, plainly(part))
    return found.train(module.training)


def _shallow(module: nn.Module) -> nn.Module:
    """A copy whose parts may be replaced."""
    if not any(type(part) in PLAIN for part in module.modules()):
        return module
    copied: Any = module.__new__(type(module))
    copied.__dict__ = module.__dict__ | {"_modules": dict(module._modules)}  # pyright: ignore[reportPrivateUsage]
    return copied


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype)
    layer.weight = nn.Parameter(weight.detach(), requires_grad=weight.requires_grad)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach(), requires_grad=bias.requires_grad)
    return layer


def _require_none(*masks: Any) -> None:
    if any(mask is not None for mask in masks):
        raise ValueError("a key_padding_mask, which goes by the examples; leave padding out, or give all examples one length")
