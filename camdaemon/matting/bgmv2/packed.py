"""The base network in torch as a CPU runs it best: weights packed once, activations and sums within the convolutions.

Eager torch packs a convolution's weights anew in each call and goes over its result again for what follows it. The
operators used here are those that torch's own compiler generates calls of; unlike it, they need no C++ compiler.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from camdaemon.matting.bgmv2.tile_windows import concat_channels

_Modules = dict[str, nn.Module]
_Activation = tuple[str, list[float]]
_NONE: _Activation = ("none", [])
_ACTIVATIONS: dict[object, _Activation] = {
    nn.ReLU6: ("hardtanh", [0.0, 6.0]), nn.ReLU: ("relu", []), F.relu: ("relu", [])
}  # fmt: skip


class _Convolution(nn.Module):
    """`convolution` of inputs of just `shape`, then the sum with `other` if there is one, then the activation."""

    def __init__(self, convolution: nn.Conv2d, shape: Sequence[int], activation: _Activation) -> None:
        super().__init__()
        geometry = convolution.padding, convolution.stride, convolution.dilation, convolution.groups
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(convolution.weight, *geometry, list(shape))
        self._bias, self._geometry, self._activation = convolution.bias, geometry, activation

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        args, (kind, limits) = (self._weight, self._bias, *self._geometry), self._activation
        y: Tensor
        if other is None:
            y = torch.ops.mkldnn._convolution_pointwise(x, *args, kind, limits, "")
        else:
            after = None if kind == "none" else kind
            y = torch.ops.mkldnn._convolution_pointwise.binary(x, other, *args, "add", None, after, limits, None)
        return y


class _Shapes(fx.Interpreter):
    """Runs a graph and notes each tensor's shape. torch's own `ShapeProp` loads sympy, most of a second of a start."""

    def run_node(self, n: fx.Node) -> object:
        found: object = super().run_node(n)
        if isinstance(found, Tensor):
            n.meta["shape"] = found.shape
        return found


def packed(network: nn.Module, given: Tensor) -> fx.GraphModule:
    """What computes `network` for inputs of the shape, dtype and memory format of `given` (1,C,h,w) alone.

    network: in evaluation mode, batch norms folded, of that dtype, traced or not; not changed, its weights shared.
    Raises AttributeError or RuntimeError where this torch has no such operators, and for weights that are not finite:
    activations that are done within make 0 of NaN, and nobody would see it.
    """
    if not all(bool(weights.isfinite().all()) for weights in network.parameters()):
        raise RuntimeError("weights that are not finite")
    traced = fx.symbolic_trace(network) if not isinstance(network, fx.GraphModule) else network
    traced = fx.GraphModule(traced, deepcopy(traced.graph))
    _Shapes(traced).run(given)
    modules = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        module = _module(node, modules)
        if isinstance(module, nn.Conv2d):
            end, added, activation = _within(node, modules)
            name = f"packed_{node.name}"
            traced.add_submodule(name, _Convolution(module, node.args[0].meta["shape"], activation))
            with traced.graph.inserting_before(end):
                new = traced.graph.call_module(name, (node.args[0], *added))
            new.meta = end.meta
            end.replace_all_uses_with(new)
        elif node.target is torch.cat and node.args[1] == 1:
            node.target = _beside
    traced.graph.eliminate_dead_code()
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _within(node: fx.Node, modules: _Modules) -> tuple[fx.Node, list[fx.Node], _Activation]:
    """What the convolution `node` can take over of what follows: up to which node, what is added, the activation."""
    last, user = _follower(node, modules)
    if user is not None and user.target is operator.add:
        added = [each for each in user.args if isinstance(each, fx.Node) and each is not last]
        if len(added) == 1:
            _, after = _follower(user, modules)
            activation = _activation(after, modules)
            return (user, added, _NONE) if after is None or activation is None else (after, added, activation)
    activation = _activation(user, modules)
    return (node, [], _NONE) if user is None or activation is None else (user, [], activation)


def _follower(node: fx.Node, modules: _Modules) -> tuple[fx.Node, fx.Node | None]:
    """The last node of the same value (batch norms are folded, dropout is off), and the only user of that."""
    while len(node.users) == 1:
        user = next(iter(node.users))
        if not isinstance(_module(user, modules), nn.Identity | nn.Dropout):
            return node, user
        node = user
    return node, None


def _activation(node: fx.Node | None, modules: _Modules) -> _Activation | None:
    return None if node is None else _ACTIVATIONS.get(type(_module(node, modules)), _ACTIVATIONS.get(node.target))


def _module(node: fx.Node, modules: _Modules) -> nn.Module | None:
    return modules.get(str(node.target)) if node.op == "call_module" else None


def _beside(parts: Sequence[Tensor], dim: int) -> Tensor:
    """torch.cat(parts, dim=1) of pictures that lie pixel by pixel: it takes twice as long for such."""
    assert dim == 1
    return concat_channels(*(part.permute(0, 2, 3, 1) for part in parts)).permute(0, 3, 1, 2)
