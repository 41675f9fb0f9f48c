"""Background work: one leased table for everything that a worker does."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class JobState(models.TextChoices):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(models.Model):
    """One piece of work. `fence` rises with every lease, so that a worker that lost its lease can't write a result.

    `payload` and `result` are JSON text without secrets.
    """

    kind = models.CharField(max_length=32)
    payload = models.TextField()
    state = models.CharField(max_length=8, choices=JobState.choices, default=JobState.QUEUED)
    run_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, default=None)
    fence = models.BigIntegerField(default=0)
    attempts = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    total = models.IntegerField(default=0)
    result = models.TextField(blank=True, default="")
    error = models.TextField(blank=True, default="")
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, default=None)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["run_at", "id"], condition=Q(state__in=["queued", "running"]), name="job_waiting"
            )
        ]


class WorkerBeat(models.Model):
    """When each worker was last alive, for `/readyz` and the installation page."""

    name = models.CharField(max_length=128, unique=True)
    at = models.DateTimeField()
