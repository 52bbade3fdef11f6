"""django-redis's two additions to Django's cache, in this process's memory."""

import fnmatch
import threading
from collections import defaultdict

from django.core.cache.backends.locmem import LocMemCache

_locks = defaultdict(threading.RLock)


class Cache(LocMemCache):
    """The cache of one process."""

    def delete_pattern(self, pattern, version=None, **_):
        """Delete the keys that match, as in a shell; how many there were."""
        wanted = self.make_key(pattern, version=version)
        with self._lock:
            found = [key for key in self._cache if fnmatch.fnmatchcase(key, wanted)]
            for key in found:
                self._delete(key)
        return len(found)

    def lock(self, key, **_):
        """A lock by name, as a context manager."""
        return _locks[key]
