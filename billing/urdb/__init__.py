"""Rates of the Utility Rate Database as JSON (https://openei.org/services/doc/rest/util_rates), read and judged.

Pure: data in, components and remarks out. Every price, condition and contradiction that bills will not follow is a
remark at its place; nothing is dropped in silence.
"""

from billing.urdb.charges import Charge
from billing.urdb.decoding import DecodedRate, NotARate, decode_document
from billing.urdb.remarks import Level, Remark

__all__ = ["Charge", "DecodedRate", "Level", "NotARate", "Remark", "decode_document"]
