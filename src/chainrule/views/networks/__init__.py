"""Drawings of networks: circles and lines, a card to a layer, and the diagram that grows from the input to the performance."""

from chainrule.checks import answering
from chainrule.views.networks.card import LayerCard, layer_card
from chainrule.views.networks.drawing import NetworkDrawing, draw_network
from chainrule.views.networks.growing import STAGES, GrowingPicture, growing_picture
from chainrule.views.networks.unrolled import UnrolledDrawing, draw_unrolled

__all__ = [
    "STAGES",
    "GrowingPicture",
    "LayerCard",
    "NetworkDrawing",
    "UnrolledDrawing",
    "draw_network",
    "draw_unrolled",
    "growing_picture",
    "layer_card",
]

answering(globals())
