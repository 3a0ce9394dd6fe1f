from meters.batteries.pages.dossier import dossier, dossier_document

__all__ = ["dossier", "dossier_document"]
