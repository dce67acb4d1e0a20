"""The training itself: transformers' Trainer with its traps closed, watched at every step."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoke_run.budget import StepCost, TrainingPlan
from smoke_run.devices import Device, synchronize
from smoke_run.encoding import Encoded, batch_on, stack
from smoke_run.job import Job
from smoke_run.libraries import Libraries

Progress = Callable[[int, int, float], None]
TIMED_SENTENCES = 8


@dataclass
class StepWatch:
    """What was seen at each step; the Trainer calls the `on_` methods and reads no answer but `control`."""

    progress: Progress
    torch: Any
    fault: str | None = None
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    with_gradient: set[str] = field(default_factory=set)
    places: dict[str, set[str]] = field(default_factory=dict)
    updates: int = 0

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at every gradient just before it is applied."""
        named = {name: p for name, p in kwargs["model"].named_parameters() if p.grad is not None}
        parameters = list(named.values())
        if self.fault == "gradient-zeroed":
            next(p for p in parameters if p.dim() == 2).grad.zero_()
        norms = self.torch.stack([self.torch.linalg.vector_norm(p.grad) for p in parameters])
        self.gradient_norms.append(float(self.torch.linalg.vector_norm(norms)))
        # a NaN is a gradient too: another check speaks of it
        self.with_gradient |= {name for name, norm in zip(named, norms.tolist(), strict=True) if norm != 0}
        self._seen("parameters", kwargs["model"].parameters())
        self._seen("gradients", (p.grad for p in parameters))
        if self.fault == "sign-flipped":
            for p in parameters:
                p.grad.neg_()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the optimizer: where its state is, and how many updates it has really applied."""
        states = list(kwargs["optimizer"].state.values())
        self._seen("optimizer_state", (state["exp_avg"] for state in states))
        self.updates = min((int(state["step"]) for state in states), default=0)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take down the loss as the Trainer reports it; stop at the first one that is not a number."""
        loss = (kwargs.get("logs") or {}).get("loss")
        if loss is None:
            return
        self.losses.append(float(loss))
        self.progress(len(self.losses), state.max_steps, self.losses[-1])
        if not abs(self.losses[-1]) < float("inf"):
            control.should_training_stop = True

    def _seen(self, kind: str, tensors: Any) -> None:
        self.places.setdefault(kind, set()).update(tensor.device.type for tensor in tensors)


def step_watch(libraries: Libraries, progress: Progress, fault: str | None) -> StepWatch:
    """A watch that the Trainer takes: it wants every `on_` method there is, and its own class has the others."""
    callback: Any = libraries.transformers.TrainerCallback

    class Watching(StepWatch, callback):  # type: ignore[misc]  # a class that is known at run time only
        pass

    return Watching(progress, libraries.torch, fault)


def time_one_step(torch: Any, model: Any, rows: Sequence[Encoded], device: Device) -> StepCost:
    """Measure one step without changing the model: gradients are dropped, the update is made on a copy."""
    batch = batch_on(torch, rows[:TIMED_SENTENCES], model.device)
    model.train()
    _forward_and_backward_seconds(torch, model, batch, device)  # the first one sets things up and is no measure
    seconds = _forward_and_backward_seconds(torch, model, batch, device)
    return StepCost(seconds / batch["input_ids"].numel(), _update_seconds(torch, model, device))


def _forward_and_backward_seconds(torch: Any, model: Any, batch: Encoded, device: Device) -> float:
    started = _now(torch, device)
    with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=device.precision == "bf16"):
        loss = model(**batch).loss
    loss.backward()
    seconds = _now(torch, device) - started
    model.zero_grad(set_to_none=True)
    return seconds


def _update_seconds(torch: Any, model: Any, device: Device) -> float:
    largest = max(model.parameters(), key=lambda p: p.numel())
    stand_in = torch.nn.Parameter(largest.detach().clone())
    stand_in.grad = torch.ones_like(stand_in)
    # fused as in the Trainer; the other implementation was ten times slower on a CPU
    optimizer = torch.optim.AdamW([stand_in], fused=stand_in.device.type in ("cpu", "cuda"))
    optimizer.step()  # the first one allocates
    started = _now(torch, device)
    optimizer.step()
    seconds = _now(torch, device) - started
    return float(seconds * sum(p.numel() for p in model.parameters()) / stand_in.numel())


def _now(torch: Any, device: Device) -> float:
    synchronize(torch, device)
    return time.perf_counter()


def training_arguments(
    libraries: Libraries, job: Job, plan: TrainingPlan, device: Device, folder: Path
) -> tuple[Any, tuple[str, ...]]:
    """The Trainer's arguments, and the names of those that this version of transformers does not know."""
    kind = libraries.transformers.TrainingArguments
    wanted: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": plan.steps,
        "per_device_train_batch_size": plan.batch_size,
        "learning_rate": 0.0 if job.fault == "lr0" else job.learning_rate,
        "weight_decay": 0.0,  # it moves weights that have no gradient, which would hide that they have none
        "lr_scheduler_type": "linear",
        "warmup_steps": plan.warmup_steps,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # else a NaN loss is logged as 0.0
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": device.kind == "cpu" or job.fault == "wrong-device",
        "bf16": device.precision == "bf16" and job.fault != "wrong-device",
        "dataloader_pin_memory": device.kind == "cuda",
        "seed": job.seed,
    }
    known = {known.name for known in dataclasses.fields(kind)}
    dropped = tuple(sorted(set(wanted) - known))
    return kind(**{name: value for name, value in wanted.items() if name in known}), dropped


def train(libraries: Libraries, model: Any, arguments: Any, rows: Sequence[Encoded], watch: StepWatch) -> None:
    """Run the Trainer over `rows`; what happened is in `watch`, made by `step_watch`."""
    transformers = libraries.transformers
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=list(rows),
        data_collator=_collator(libraries.torch, watch.fault),
        compute_loss_func=_fourfold_loss(libraries.torch) if watch.fault == "loss-scaled" else None,
        callbacks=[watch],
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    trainer.train()


def _collator(torch: Any, fault: str | None) -> Callable[[Sequence[Encoded]], Encoded]:
    def collate(rows: Sequence[Encoded]) -> Encoded:
        batch = stack(torch, rows)
        if fault == "labels-shuffled":
            batch["labels"] = batch["labels"][torch.randperm(len(rows))]
        return batch

    return collate


def _fourfold_loss(torch: Any) -> Callable[..., Any]:
    def loss(outputs: Any, labels: Any, **kwargs: Any) -> Any:
        return 4 * torch.nn.functional.cross_entropy(outputs.logits, labels)

    return loss
