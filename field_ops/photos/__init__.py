"""Photos from the street: taken apart, judged, decoded and written anew. Knows no database and no Django."""

from field_ops.photos.exif import Notes
from field_ops.photos.pictures import Picture, bands_of, perceptual_hash_of, read_photo
from field_ops.photos.refusals import PhotoRefused

__all__ = ["Notes", "PhotoRefused", "Picture", "bands_of", "perceptual_hash_of", "read_photo"]
