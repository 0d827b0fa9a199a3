"""Small models of known lineage, trained on the spot: an example of distilling, and what measures are tried on."""

from harness.zoo.building import Place, Thing, things

__all__ = ["Place", "Thing", "things"]
