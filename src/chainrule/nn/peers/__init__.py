"""Networks in the words of other libraries: PyTorch, Keras and JAX, as code and as arrays, each by a table of layers."""

from chainrule.nn.peers.export import Export, Exportable, Scale
from chainrule.nn.peers.translate import PEERS, STYLES, from_peer, to_code, to_peer

__all__ = ["Export", "Exportable", "PEERS", "STYLES", "Scale", "from_peer", "to_code", "to_peer"]
