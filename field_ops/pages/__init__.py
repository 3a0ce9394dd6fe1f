from field_ops.pages.app_files import manifest, service_worker
from field_ops.pages.shell import capture, offline, revoked, sent, today, walk_map
from field_ops.pages.work import work

__all__ = ["capture", "manifest", "offline", "revoked", "sent", "service_worker", "today", "walk_map", "work"]
