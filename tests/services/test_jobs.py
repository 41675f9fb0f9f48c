from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from django.db import connection, transaction

from identities.errors import IdentityError
from identities.models import Job, JobState, WorkerBeat
from identities.policy.principal import Principal
from identities.services import clock, jobs

pytestmark = pytest.mark.django_db

ALICE = Principal.command("alice")


def handlers(
    run: Callable[[jobs.Lease], jobs.Result] = lambda lease: {"said": "done"}, **options: int
) -> jobs.Handlers:
    return {"greet": jobs.Handler(run=run, **options)}


def queued(**payload: object) -> Job:
    return jobs.enqueue(principal=ALICE, kind="greet", payload=payload)


def leased() -> jobs.Lease:
    lease = jobs.claim(handlers())
    assert lease is not None
    return lease


def lease_runs_out(lease: jobs.Lease) -> None:
    Job.objects.filter(pk=lease.job.pk).update(lease_until=clock.now() - timedelta(seconds=1))


def boom(lease: jobs.Lease) -> Mapping[str, object]:
    raise ZeroDivisionError("a fault")


def test_a_job_is_done_with_its_payload_and_keeps_the_result() -> None:
    job = queued(whom="Bob")
    assert jobs.work_once(handlers(lambda lease: {"said": f"hello {jobs.payload_of(lease.job)['whom']}"}))
    job.refresh_from_db()
    assert (job.state, jobs.result_of(job), job.by_name) == ("done", {"said": "hello Bob"}, ALICE.name)
    assert job.finished_at is not None
    assert job.lease_until is None


def test_no_job_is_nothing_to_do() -> None:
    assert not jobs.work_once(handlers())


def test_a_job_goes_with_the_transaction_that_made_it() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        queued()
        raise ZeroDivisionError
    assert not Job.objects.exists()


def test_the_job_that_waits_longest_comes_first() -> None:
    first, second = queued(), queued()
    assert leased().job == first
    assert leased().job == second
    assert jobs.claim(handlers()) is None


def test_a_worker_leaves_kinds_that_it_does_not_know() -> None:
    queued()
    assert jobs.claim({"other": jobs.Handler(run=boom)}) is None
    assert jobs.claim({}) is None
    assert leased().job.attempts == 1


def test_a_job_waits_for_its_time() -> None:
    Job.objects.filter(pk=queued().pk).update(run_at=clock.now() + timedelta(minutes=1))
    assert jobs.claim(handlers()) is None


def test_a_leased_job_is_not_given_to_another_worker() -> None:
    queued()
    leased()
    assert jobs.claim(handlers()) is None


def test_a_killed_workers_job_is_taken_over_with_a_higher_fence() -> None:
    queued()
    killed = leased()
    lease_runs_out(killed)
    taken = leased()
    assert (taken.job.pk, taken.fence, taken.job.attempts) == (killed.job.pk, killed.fence + 1, 2)


@pytest.mark.parametrize(
    "write",
    [
        lambda lease: jobs.finish(lease, {"said": "late"}),
        lambda lease: jobs.fail(lease, "late"),
        lambda lease: jobs.renew(lease, done=1),
    ],
)
def test_a_worker_that_lost_its_lease_can_write_nothing(write: Callable[[jobs.Lease], None]) -> None:
    queued()
    late = leased()
    lease_runs_out(late)
    now_holding = leased()
    with pytest.raises(jobs.LostLease):
        write(late)
    jobs.finish(now_holding, {"said": "in time"})
    with pytest.raises(jobs.LostLease):
        write(late)
    assert jobs.result_of(Job.objects.get()) == {"said": "in time"}


def test_the_effects_of_a_worker_that_lost_its_lease_are_rolled_back() -> None:
    queued()
    late = leased()
    lease_runs_out(late)
    jobs.finish(leased(), {})
    with pytest.raises(jobs.LostLease), transaction.atomic():
        WorkerBeat.objects.create(name="effect", at=clock.now())
        jobs.finish(late, {})
    assert not WorkerBeat.objects.exists()


def test_renewing_keeps_the_lease_and_tells_how_far_the_work_is() -> None:
    queued()
    lease = leased()
    lease_runs_out(lease)
    jobs.renew(lease, done=3, total=9, so_far={"said": "he"})
    assert jobs.claim(handlers()) is None
    job = Job.objects.get()
    assert (job.done, job.total, jobs.result_of(job)) == (3, 9, {"said": "he"})


def test_a_handler_that_never_comes_back_is_given_up_after_its_attempts() -> None:
    queued()
    for _ in range(2):
        lease = jobs.claim(handlers(attempts=2))
        assert lease is not None
        lease_runs_out(lease)
    assert jobs.claim(handlers(attempts=2)) is None
    job = Job.objects.get()
    assert (job.state, job.attempts) == (JobState.FAILED, 2)
    assert "stopped before it was done" in job.error


def test_a_refusal_is_told_in_its_own_words_and_not_tried_again() -> None:
    def refuse(lease: jobs.Lease) -> jobs.Result:
        raise IdentityError("Bob is away.")

    queued()
    assert jobs.work_once(handlers(refuse))
    assert not jobs.work_once(handlers(refuse))
    job = Job.objects.get()
    assert (job.state, job.error) == (JobState.FAILED, "Bob is away.")


def test_a_fault_is_tried_again_after_a_pause_and_then_told_without_its_details() -> None:
    queued()
    assert jobs.work_once(handlers(boom, attempts=2))
    job = Job.objects.get()
    assert job.state == JobState.QUEUED
    assert job.run_at > clock.now()
    Job.objects.update(run_at=clock.now())
    assert jobs.work_once(handlers(boom, attempts=2))
    job = Job.objects.get()
    assert job.state == JobState.FAILED
    assert "a fault of nscweb" in job.error
    assert "ZeroDivision" not in job.error


def test_a_worker_goes_on_when_its_lease_was_taken_while_it_worked() -> None:
    def slow(lease: jobs.Lease) -> jobs.Result:
        lease_runs_out(lease)
        jobs.finish(leased(), {"said": "by another"})
        return {"said": "too late"}

    queued()
    assert jobs.work_once(handlers(slow))
    assert jobs.result_of(Job.objects.get()) == {"said": "by another"}


def test_beats_tell_whether_a_worker_is_alive() -> None:
    assert not jobs.workers_alive()
    jobs.beat("one")
    jobs.beat("one")
    assert jobs.workers_alive()
    WorkerBeat.objects.update(at=clock.now() - jobs.ALIVE - timedelta(seconds=1))
    assert not jobs.workers_alive()
    jobs.beat("two")
    jobs.leave("two")
    assert not jobs.workers_alive()


def test_a_beat_forgets_workers_that_are_long_gone() -> None:
    WorkerBeat.objects.create(name="old", at=clock.now() - timedelta(days=8))
    jobs.beat("new")
    assert list(WorkerBeat.objects.values_list("name", flat=True)) == ["new"]


def test_jobs_are_forgotten_a_week_after_they_ended() -> None:
    old, fresh, waiting = queued(), queued(), queued()
    Job.objects.filter(pk=old.pk).update(state="done", finished_at=clock.now() - timedelta(days=8))
    Job.objects.filter(pk=fresh.pk).update(state="failed", finished_at=clock.now())
    assert jobs.forget_old() == 1
    assert set(Job.objects.all()) == {fresh, waiting}


@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_do_every_job_once() -> None:
    wanted = 24
    for number in range(wanted):
        queued(number=number)
    done: list[int] = []

    def note(lease: jobs.Lease) -> jobs.Result:
        done.append(jobs.payload_of(lease.job)["number"])
        return {}

    def work() -> None:
        try:
            while jobs.work_once(handlers(note)):
                pass
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # A worker that met another one's lock may have ended early; what is left is still there to do.
    work()
    assert sorted(done) == list(range(wanted))
    assert set(Job.objects.values_list("state", "fence")) == {("done", 1)}


def test_results_are_json_in_any_script() -> None:
    queued(whom="Zoë")
    jobs.work_once(handlers(lambda lease: {"said": "grüezi"}))
    job = Job.objects.get()
    assert json.loads(job.payload) == {"whom": "Zoë"}
    assert "grüezi" in job.result
