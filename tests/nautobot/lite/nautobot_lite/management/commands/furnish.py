"""`nautobot-server furnish`: what migrations would have made, and users with the tokens that tests use.

Tokens come as JSON on standard input: {"admin": …, "viewer": …, "stranger": …}; admin may do all, viewer may see what
the workflows ask for, stranger nothing.
"""

import json
import sys

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.management.base import BaseCommand
from nautobot.extras.management import populate_role_choices, populate_status_choices
from nautobot.ipam.models import get_default_namespace
from nautobot.users.models import ObjectPermission, Token

SEEN = ("device", "interface", "ipaddress", "softwareversion", "softwareimagefile")


class Command(BaseCommand):
    """Run once on fresh tables."""

    help = __doc__

    def handle(self, **_):
        """Make everything."""
        populate_status_choices(apps, None)
        populate_role_choices(apps, None)
        get_default_namespace()
        users = get_user_model().objects
        for name, key in json.load(sys.stdin).items():
            create = users.create_superuser if name == "admin" else users.create_user
            Token.objects.create(user=create(name), key=key)
        permission = ObjectPermission.objects.create(name="see the fleet", actions=["view"])
        permission.users.set(users.filter(username="viewer"))
        permission.object_types.set(ContentType.objects.filter(model__in=SEEN, app_label__in=("dcim", "ipam")))
