"""Read before anything of the package is imported: whether tests check the shapes of arrays."""

from tests.shapes import check_shapes

check_shapes()
