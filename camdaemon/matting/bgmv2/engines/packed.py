"""The base network in torch, faster on a CPU: weights packed once, activations and sums fused into the convolutions.

Eager torch packs a convolution's weights in every call and makes another pass over its result for what follows. The
operators used here are those that torch's own compiler generates calls of; unlike it, they need no C++ compiler.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

_Modules = dict[str, nn.Module]
_Activation = tuple[str, list[float]]
_NO_ACTIVATION: _Activation = ("none", [])
_ACTIVATIONS: dict[object, _Activation] = {
    nn.ReLU6: ("hardtanh", [0.0, 6.0]), nn.ReLU: ("relu", []), F.relu: ("relu", [])
}  # fmt: skip


class _Convolution(nn.Module):
    """`convolution` of inputs of exactly `shape`, then the sum with `other` if given, then the activation."""

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
    """Runs a graph and records each tensor's shape. torch's `ShapeProp` would load sympy: most of a second."""

    def run_node(self, n: fx.Node) -> object:
        found: object = super().run_node(n)
        if isinstance(found, Tensor):
            n.meta["shape"] = found.shape
        return found


def pack(network: nn.Module, given: Tensor) -> fx.GraphModule:
    """Convert `network` for inputs of one shape.

    Args:
        network: In evaluation mode, batch norms folded, traced or not; not changed, its weights are shared.
        given: An input (1,C,h,w): the result takes only its shape, dtype and memory format.

    Raises:
        AttributeError, RuntimeError: This torch has no such operators, or weights are not finite: fused activations
            turn NaN into 0, which would hide it.
    """
    if not all(bool(weights.isfinite().all()) for weights in network.parameters()):
        raise RuntimeError("weights that are not finite")
    traced = fx.symbolic_trace(network) if not isinstance(network, fx.GraphModule) else network
    traced = fx.GraphModule(traced, deepcopy(traced.graph))
    _Shapes(traced).run(given)
    modules = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        module = _module_of(node, modules)
        if isinstance(module, nn.Conv2d):
            end, added, activation = _find_fusion(node, modules)  # what the convolution replaces
            name = f"packed_{node.name}"
            traced.add_submodule(name, _Convolution(module, node.args[0].meta["shape"], activation))
            with traced.graph.inserting_before(end):
                new = traced.graph.call_module(name, (node.args[0], *added))
            new.meta = end.meta
            end.replace_all_uses_with(new)
    traced.graph.eliminate_dead_code()
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _find_fusion(node: fx.Node, modules: _Modules) -> tuple[fx.Node, list[fx.Node], _Activation]:
    """Find what can be fused into the convolution `node`.

    Returns:
        The last node to fuse, what it adds, and the activation.
    """
    last, user = _find_only_user(node, modules)
    if user is not None and user.target is operator.add:
        added = [each for each in user.args if isinstance(each, fx.Node) and each is not last]
        if len(added) == 1:
            _, after = _find_only_user(user, modules)
            activation = _activation_of(after, modules)
            return (user, added, _NO_ACTIVATION) if after is None or activation is None else (after, added, activation)
    activation = _activation_of(user, modules)
    return (node, [], _NO_ACTIVATION) if user is None or activation is None else (user, [], activation)


def _find_only_user(node: fx.Node, modules: _Modules) -> tuple[fx.Node, fx.Node | None]:
    """Follow nodes that pass the value on (folded batch norms, dropout); return the last, and its user if only one."""
    while len(node.users) == 1:
        user = next(iter(node.users))
        if not isinstance(_module_of(user, modules), nn.Identity | nn.Dropout):
            return node, user
        node = user
    return node, None


def _activation_of(node: fx.Node | None, modules: _Modules) -> _Activation | None:
    return None if node is None else _ACTIVATIONS.get(type(_module_of(node, modules)), _ACTIVATIONS.get(node.target))


def _module_of(node: fx.Node, modules: _Modules) -> nn.Module | None:
    return modules.get(str(node.target)) if node.op == "call_module" else None
