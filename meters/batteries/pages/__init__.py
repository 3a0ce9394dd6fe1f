from meters.batteries.pages.battery import battery
from meters.batteries.pages.dossier import dossier, dossier_document
from meters.batteries.pages.fleet import fleet

__all__ = ["battery", "dossier", "dossier_document", "fleet"]
