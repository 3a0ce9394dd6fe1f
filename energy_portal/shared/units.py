"""Numbers as people and machines write them, rounding, and the units of energy; Decimal throughout."""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from energy_portal.shared.errors import Invalid

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_LONGEST_TEXT = 100
_CENT = 2
_WIDE = Context(prec=120, rounding=ROUND_HALF_UP)
_ONE = Decimal(1)
_WATTS_A_KILOWATT = Decimal(1000)
_MJ_A_KWH = Decimal("3.6")
_MJ_A_GJ = Decimal(1000)


class NotANumber(Invalid):
    """Something else stands where a finite number belongs."""

    code = "not_a_number"


class TooManyDigits(Invalid):
    """A number has more digits than its place holds."""

    code = "too_many_digits"


class TooManyDecimals(Invalid):
    """A number is finer than its place holds."""

    code = "too_many_decimals"


def round_half_up(value: Decimal, places: int) -> Decimal:
    """Round to ``places`` decimals, halves away from zero, as bills are rounded."""
    return value.quantize(_ONE.scaleb(-places), rounding=ROUND_HALF_UP, context=_WIDE)


def to_cents(amount: Decimal) -> Decimal:
    """Round an amount of money half-up to two decimals."""
    return round_half_up(amount, _CENT)


def parse_decimal(value: str | int | float | Decimal, *, max_digits: int, decimal_places: int) -> Decimal:
    """Return the exact number that was written, never a binary neighbour of it.

    Zeros at the end do not count as decimals. A float stands for its shortest decimal text.

    :param value: ASCII text such as ``1450.5`` or ``1.4505e3``, spaces around it allowed, or a number.
    :param max_digits: digits before and after the point together, so that ``max_digits - decimal_places`` stand before.
    :raises NotANumber: a bool, NaN, an infinity, other text, or an absurd length or exponent.
    :raises TooManyDigits: too large.
    :raises TooManyDecimals: too fine.
    """
    number = _finite(value)
    if number == 0:
        return Decimal(0)
    whole_digits = max_digits - decimal_places
    if number.adjusted() >= whole_digits:
        raise TooManyDigits(f"At most {whole_digits} digits may stand before the decimal point.")
    shortest = number.normalize(_WIDE)
    if shortest != shortest.quantize(_ONE.scaleb(-decimal_places), context=_WIDE):
        raise TooManyDecimals(f"At most {decimal_places} decimals may stand after the point.")
    return shortest.quantize(_ONE, context=_WIDE) if shortest == shortest.to_integral_value() else shortest


def _finite(value: object) -> Decimal:
    text = _text_of(value)
    if len(text) > _LONGEST_TEXT or _NUMBER.fullmatch(text) is None:
        raise NotANumber(f"{text[:_LONGEST_TEXT]!r} is not a number.")
    return Decimal(text)


def _text_of(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise NotANumber(f"A number is needed, not {type(value).__name__}.")
    try:
        return value.strip() if isinstance(value, str) else str(value)
    except ValueError as error:
        raise NotANumber("The number has too many digits to be read.") from error


def kwh_of_watts(watts: Decimal, hours: Decimal) -> Decimal:
    """Return the energy of a constant power held for some hours, kWh."""
    return watts * hours / _WATTS_A_KILOWATT


def watts_of_kwh(kwh: Decimal, hours: Decimal) -> Decimal:
    """Return the mean power, W, of an energy used over some hours.

    :raises ValueError: no time passed.
    """
    if hours <= 0:
        raise ValueError(f"No mean power exists over {hours} hours.")
    return kwh * _WATTS_A_KILOWATT / hours


def kwh_of_gas(cubic_metres: Decimal, *, calorific_mj_m3: Decimal, correction: Decimal = Decimal(1)) -> Decimal:
    """Return the energy of metered gas, kWh: volume x correction x calorific value / 3.6.

    Source: the Gas (Calculation of Thermal Energy) Regulations 1996 (United Kingdom), whose correction for
    temperature and pressure is 1.02264 where a meter does not correct by itself.

    :param calorific_mj_m3: MJ a cubic metre.
    """
    return cubic_metres * correction * calorific_mj_m3 / _MJ_A_KWH


def kwh_of_gj(gigajoules: Decimal) -> Decimal:
    """Return the same energy, kWh."""
    return gigajoules * _MJ_A_GJ / _MJ_A_KWH
