"""Why a photo is refused."""

from energy_portal.shared.errors import Invalid


class PhotoRefused(Invalid):
    """What was sent is no photo that the portal takes; another one may be sent instead."""

    code = "photo_refused"


class Empty(PhotoRefused):
    """Nothing was sent."""

    code = "photo_empty"


class ChecksumWrong(PhotoRefused):
    """What arrived is not what the sender meant to send."""

    code = "photo_checksum"


class TooLarge(PhotoRefused):
    """The file is larger than a file may be."""

    code = "photo_too_large"


class NotAccepted(PhotoRefused):
    """It is not a JPEG, a PNG or a WebP by its content, whatever it calls itself."""

    code = "photo_not_accepted"


class HeicNotSupported(PhotoRefused):
    """It is a HEIC, and the library that reads those is not installed."""

    code = "heic_not_supported"


class Broken(PhotoRefused):
    """It ends too early, or contradicts itself."""

    code = "photo_broken"


class Animated(PhotoRefused):
    """It holds more than one picture, shown one after the other."""

    code = "photo_animated"


class TooSmall(PhotoRefused):
    """Nobody can read a meter on so few pixels, or on so narrow a strip."""

    code = "photo_too_small"


class TooManyPixels(PhotoRefused):
    """To decode it takes more memory than the portal gives to one photo."""

    code = "photo_too_many_pixels"
