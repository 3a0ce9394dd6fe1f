import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from field_ops.models.agents import ON_THE_GLOBE
from field_ops.querysets import PhotoQuerySet, SubmissionQuerySet


class Submission(models.Model):
    """What an agent brought from a meter: a value, or why there is none. What is sent back is followed by another.

    ``id`` is the UUID that the agent's device gave it, so that it arrives once however often it is sent.
    """

    class Outcome(models.TextChoices):
        READ = "read"
        COULD_NOT_READ = "could_not_read"

    class Obstacle(models.TextChoices):
        NO_ACCESS = "no_access", "no access"
        LOCKED = "locked"
        DOG = "dog"
        DAMAGED = "damaged"
        WRONG_METER = "wrong_meter", "wrong meter"
        TAMPER = "tamper", "tampered with"

    class Status(models.TextChoices):
        RECEIVING = "receiving", "waiting for its photo"
        IN_REVIEW = "in_review", "in review"
        APPROVED = "approved"
        RETURNED = "returned", "sent back"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, editable=False)
    assignment = models.ForeignKey("field_ops.Assignment", on_delete=models.PROTECT, related_name="submissions")
    agent = models.ForeignKey("field_ops.Agent", on_delete=models.PROTECT, related_name="submissions")
    meter = models.ForeignKey("meters.Meter", on_delete=models.PROTECT, related_name="submissions")
    register = models.ForeignKey("meters.Register", on_delete=models.PROTECT, null=True, related_name="+")
    follows = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="followed_by")
    outcome = models.CharField(max_length=15, choices=Outcome.choices)
    obstacle = models.CharField(max_length=12, choices=Obstacle.choices, blank=True)
    value = models.DecimalField(max_digits=15, decimal_places=6, null=True)
    serial_given = models.CharField(max_length=64, blank=True, help_text="As scanned or typed at the meter.")
    serial_scanned = models.BooleanField(default=False)
    read_at = models.DateTimeField(help_text="By the agent's device.")
    received_at = models.DateTimeField()
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)
    accuracy_m = models.FloatField(null=True)
    notes = models.TextField(blank=True)
    expects_photo = models.BooleanField(default=True)
    body_hash = models.CharField(
        max_length=64, help_text="Of all that was sent: another body under the same id is refused."
    )
    status = models.CharField(max_length=10, choices=Status.choices)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SubmissionQuerySet.as_manager()

    class Meta:
        ordering = ("-received_at", "id")
        constraints = (
            models.CheckConstraint(
                name="submission_has_a_value_or_an_obstacle",
                condition=models.Q(outcome="read", value__isnull=False, register__isnull=False, obstacle="")
                | (models.Q(outcome="could_not_read", value__isnull=True) & ~models.Q(obstacle="")),
            ),
            models.CheckConstraint(name="submission_located_on_the_globe", condition=ON_THE_GLOBE),
        )
        indexes = (
            models.Index(fields=("agent", "-received_at"), name="submission_by_agent"),
            models.Index(fields=("-received_at", "-id"), name="submission_newest"),
        )

    def __str__(self) -> str:
        return f"{self.meter_id} {self.read_at:%Y-%m-%d %H:%M}"

    @property
    def verified(self) -> bool:
        """Whether its value was approved."""
        return self.status == self.Status.APPROVED


class PhotoUpload(models.Model):
    """A photo on its way, in pieces: ``received_bytes`` of ``size_bytes`` lie in a file of its own."""

    submission = models.OneToOneField(Submission, on_delete=models.CASCADE, primary_key=True, related_name="upload")
    size_bytes = models.PositiveIntegerField()
    received_bytes = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, help_text="Of the whole, as the agent's device says.")
    started_at = models.DateTimeField()
    touched_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                name="photo_upload_within_its_size", condition=models.Q(received_bytes__lte=models.F("size_bytes"))
            ),
        )

    def __str__(self) -> str:
        return f"{self.received_bytes} of {self.size_bytes}"


class Photo(models.Model):
    """A picture of a meter, decoded and written anew, under a name of the portal's own, with what its camera noted.

    ``sha256`` is of what was sent. ``perceptual_hash`` is 64 bits that look-alikes share but for a few (pHash, by
    ImageHash), as a signed integer; ``hash_bands`` its eight bytes, each with its place (256 times the place, plus the
    byte), so that an index finds every hash that differs in fewer than eight bits. A picture on which there is too
    little to be seen, as of a wall or in the dark, has neither: nothing can be said of whom it looks like.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="photo")
    name = models.CharField(max_length=100, unique=True, help_text="Under the folder of photos.")
    thumbnail = models.CharField(max_length=100, unique=True)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    stored_bytes = models.PositiveIntegerField()
    sent_format = models.CharField(max_length=10)
    sent_bytes = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    perceptual_hash = models.BigIntegerField(null=True)
    hash_bands = ArrayField(models.SmallIntegerField(), size=8, default=list, blank=True)
    taken_at = models.DateTimeField(null=True, help_text="By EXIF; without an offset there it is the site's zone.")
    taken_latitude = models.FloatField(null=True)
    taken_longitude = models.FloatField(null=True)
    camera = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    objects = PhotoQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        indexes = (GinIndex(fields=("hash_bands",), name="photo_hash_bands"),)

    def __str__(self) -> str:
        return self.name
