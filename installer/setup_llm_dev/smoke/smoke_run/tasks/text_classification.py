"""Fine-tune a pretrained encoder to tell the labels of short texts apart, and measure everything about it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoke_run import judgement
from smoke_run.budget import LONGEST, TrainingPlan, choose_plan, seconds_for_training
from smoke_run.causes import CauseError
from smoke_run.devices import Device, allocated_bytes, choose_device, peak_memory_bytes
from smoke_run.encoding import Encoded, encode_corpus
from smoke_run.evaluation import Evaluation, all_logits, evaluate
from smoke_run.job import Job
from smoke_run.libraries import Libraries, installed_version, load_libraries, torch_variant
from smoke_run.phases import Phases
from smoke_run.reporter import Reporter
from smoke_run.samples import Corpus, load_corpus
from smoke_run.training import StepWatch, step_watch, time_one_step, train, training_arguments
from smoke_run.weights import changed, compare_with_files, fingerprints, is_head, unchanged


@dataclass(frozen=True)
class Setting:
    """What every part of one run needs to know; `scratch` is an empty folder of this run's own."""

    job: Job
    libraries: Libraries
    device: Device
    corpus: Corpus
    scratch: Path
    reporter: Reporter


@dataclass(frozen=True)
class Loaded:
    """A model on its device with its tokenizer; `grown` is the growth of the device's memory in bytes."""

    model: Any
    tokenizer: Any
    fresh_head: bool
    grown: int | None


def run(job: Job, scratch: Path, reporter: Reporter, phases: Phases) -> dict[str, Any]:
    """Run the task, reporting checks as they are known, and return the metrics of the verdict.

    What goes wrong inside the libraries is raised.
    """
    with phases.phase("import"):
        libraries = load_libraries(job.threads, job.seed)
    device = _open_device(libraries, job, reporter)
    setting = Setting(job, libraries, device, load_corpus(job.train_data, job.eval_data), scratch, reporter)
    torch = libraries.torch
    with phases.phase("load"):
        loaded = _load(setting)
        _break_model(setting, loaded.model)
    model = loaded.model
    learned, unseen = encode_corpus(torch, loaded.tokenizer, setting.corpus, job.seed, LONGEST)
    with phases.phase("evaluate-before"):
        before = evaluate(torch, model, unseen, setting.corpus)
    plan = _plan(setting, model, learned, phases, before.seconds)
    if plan.max_length < learned[0]["input_ids"].numel():
        learned, unseen = encode_corpus(torch, loaded.tokenizer, setting.corpus, job.seed, plan.max_length)
    with phases.phase("train"):
        watch = _train(setting, loaded, learned, plan)
    fell = _judge_losses(setting, before, watch, loaded.fresh_head)
    with phases.phase("evaluate-after"):
        after = evaluate(torch, model, unseen, setting.corpus)
    shortened = _shortened(setting, plan, fell)
    reporter.check(judgement.judge_quality(before.scores, after.scores, setting.corpus.own, shortened))
    with phases.phase("save-reload"):
        reporter.check(_save_and_reload(setting, model, unseen))
    return _metrics(setting, plan, watch, before, after) | _speed(plan, watch, phases)


def _open_device(libraries: Libraries, job: Job, reporter: Reporter) -> Device:
    torch = libraries.torch
    variant = torch_variant(torch)
    reporter.check(judgement.judge_variant(variant, job.expect_variant))
    versions = {name: installed_version(name) for name in ("transformers", "accelerate", "safetensors")}
    reporter.event("facts", torch=str(torch.__version__), **versions, variant=variant)
    device = choose_device(torch, job.device, job.expect_variant)
    if job.fault == "wrong-device" and device.kind == "cpu":
        raise CauseError("fault-not-possible", "on a CPU there is no other device to stray to")
    reporter.event(
        "facts", device=device.kind, device_name=device.name, precision=device.precision, threads=job.threads
    )
    return device


def _load(setting: Setting) -> Loaded:
    job, libraries, device = setting.job, setting.libraries, setting.device
    if not any(job.model.glob("*.safetensors")):
        raise CauseError("model-unreadable", f"{job.model} holds no *.safetensors file")
    tokenizer = libraries.transformers.AutoTokenizer.from_pretrained(
        str(job.model), local_files_only=True, trust_remote_code=False
    )
    model, info = _pretrained(libraries, job.model, setting.corpus.labels)
    if job.fault == "random-weights":
        model = type(model)(model.config)
    missing = sorted(info["missing_keys"])
    compared, different = compare_with_files(libraries, model, job.model)
    lost = [name for name in missing if not is_head(name, model)]
    setting.reporter.check(judgement.judge_weights(lost, compared, different))
    held = allocated_bytes(libraries.torch, device)
    model.to("cpu" if job.fault == "wrong-device" else device.kind)
    now = allocated_bytes(libraries.torch, device)
    grown = None if held is None or now is None else now - held
    return Loaded(model, tokenizer, bool(missing), grown)


def _pretrained(libraries: Libraries, folder: Path, labels: Sequence[str]) -> tuple[Any, Any]:
    model, info = libraries.transformers.AutoModelForSequenceClassification.from_pretrained(
        str(folder),
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        dtype=libraries.torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    return model, info


def _break_model(setting: Setting, model: Any) -> None:
    match setting.job.fault:
        case "nan-weight":
            with setting.libraries.torch.no_grad():
                next(p for p in model.parameters() if p.dim() == 1)[0] = math.nan
        case "frozen-layer":
            for name, parameter in model.named_parameters():
                parameter.requires_grad = ".layer.0." not in name
        case "unsaved":
            model.save_pretrained(str(setting.scratch / "saved"))


def _plan(setting: Setting, model: Any, rows: Sequence[Encoded], phases: Phases, one_evaluation: float) -> TrainingPlan:
    job = setting.job
    cost = time_one_step(setting.libraries.torch, model, rows, setting.device)
    model_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
    # asked now, so that the timed step is in it
    elapsed = phases.elapsed
    seconds_left = seconds_for_training(job.budget_seconds, elapsed, one_evaluation, model_bytes)
    plan = choose_plan(cost, seconds_left, rows[0]["input_ids"].numel(), job.max_steps)
    setting.reporter.event(
        "facts",
        batch_size=plan.batch_size,
        steps=plan.steps,
        steps_capped=job.max_steps is not None,
        training_shortened=plan.shortened,
        max_length=plan.max_length,
        warmup_steps=plan.warmup_steps,
        learning_rate=job.learning_rate,
        seed=job.seed,
        train_samples=len(rows),
        model_parameters=sum(p.numel() for p in model.parameters()),
        expected_training_seconds=round(plan.expected_seconds, 2),
    )
    spending = judgement.Spending(job.budget_seconds, elapsed, seconds_left, plan.expected_seconds)
    setting.reporter.check(judgement.judge_budget(spending, plan.fits))
    return plan


def _train(setting: Setting, loaded: Loaded, rows: Sequence[Encoded], plan: TrainingPlan) -> StepWatch:
    job, libraries, reporter, model = setting.job, setting.libraries, setting.reporter, loaded.model
    before = fingerprints(libraries.torch, model)
    arguments, dropped = training_arguments(libraries, job, plan, setting.device, setting.scratch / "trainer")
    if dropped:
        reporter.event("facts", dropped_arguments=list(dropped))
    watch = step_watch(
        libraries,
        lambda done, total, loss: reporter.event("progress", done=done, total=total, loss=loss),
        job.fault,
    )
    train(libraries, model, arguments, rows, watch)
    places = {kind: sorted(found) for kind, found in watch.places.items()}
    model_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
    gpus = int(arguments.n_gpu)
    reporter.check(judgement.judge_device(setting.device.kind, places, loaded.grown, model_bytes, gpus))
    reporter.check(judgement.judge_finite(watch.losses, watch.gradient_norms))
    stuck = unchanged(before, fingerprints(libraries.torch, model))
    idle = [name for name in before if name not in watch.with_gradient]
    reporter.check(judgement.judge_moved(stuck, len(before), watch.updates, plan.steps, idle))
    return watch


def _judge_losses(setting: Setting, before: Evaluation, watch: StepWatch, fresh_head: bool) -> bool:
    """Whether the loss fell."""
    first = watch.losses[0] if watch.losses else math.nan
    labels = len(setting.corpus.labels)
    setting.reporter.check(judgement.judge_initial_loss(before.loss, first, labels, fresh_head))
    fall = judgement.judge_fall(watch.losses)
    setting.reporter.check(fall)
    return fall.status == "pass"


def _shortened(setting: Setting, plan: TrainingPlan, fell: bool) -> judgement.Shortened | None:
    if not plan.shortened:
        return None
    return judgement.Shortened(plan.batch_size, plan.steps, fell, 1 / len(setting.corpus.labels))


def _save_and_reload(setting: Setting, model: Any, rows: Sequence[Encoded]) -> judgement.Check:
    torch, folder = setting.libraries.torch, setting.scratch / "saved"
    if setting.job.fault != "unsaved":
        model.save_pretrained(str(folder))
    reloaded, _ = _pretrained(setting.libraries, folder, setting.corpus.labels)
    reloaded.to(model.device)
    # a NaN in either makes the difference NaN, which fails the comparison
    difference = float((all_logits(torch, model, rows) - all_logits(torch, reloaded, rows)).abs().max())
    unequal = changed(fingerprints(torch, model), fingerprints(torch, reloaded))
    return judgement.judge_reload(difference, unequal, exact=model.device.type == "cpu")


def _metrics(
    setting: Setting,
    plan: TrainingPlan,
    watch: StepWatch,
    before: Evaluation,
    after: Evaluation,
) -> dict[str, Any]:
    steps = len(watch.losses)
    return {
        "loss_first": watch.losses[0] if steps else math.nan,
        "loss_last": watch.losses[-1] if steps else math.nan,
        "accuracy": after.scores.accuracy,
        "precision": after.scores.precision,
        "recall": after.scores.recall,
        "f1": after.scores.f1,
        "accuracy_before": before.scores.accuracy,
        "f1_before": before.scores.f1,
        "peak_memory_bytes": peak_memory_bytes(setting.libraries.torch, setting.device),
        "steps": steps,
        "epochs": round(steps * plan.batch_size / len(setting.corpus.train), 3),
        "batch_size": plan.batch_size,
        "learning_rate": setting.job.learning_rate,
    }


def _speed(plan: TrainingPlan, watch: StepWatch, phases: Phases) -> dict[str, float]:
    seconds = phases.seconds["train"]
    return {
        "samples_per_second": round(len(watch.losses) * plan.batch_size / seconds, 2),
        "train_seconds": round(seconds, 3),
        "seconds": round(phases.elapsed, 3),
    }
