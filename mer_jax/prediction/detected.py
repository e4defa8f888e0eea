"""What a trained model says of the action units of a clip, and how well it detects them."""

from typing import Any

import numpy as np
from scipy import special

from mer_jax.prediction.trained import Trained
from mer_jax.report import action_units_tables
from mer_jax.runfiles import prediction_file as answer
from mer_jax.runfiles.prediction_file import ActionUnit, Detection, UnitFacts
from mer_jax.types import Inputs

PRESENT = 0.5  # a unit is present above this probability


def fields_of(model: Trained, inputs: Inputs) -> dict[str, Any]:
    """Return the fields of a ClipAnswer on its action units.

    A unit that no member could learn is never said to be present.

    Args:
        model: that detects action units.
        inputs: of one clip.
    """
    outputs = model.scores(inputs).mean(1, dtype=np.float64)  # [members, A]
    mean = outputs.mean(0)
    present, probabilities = mean > 0, [None] * len(mean)
    if _has_probabilities(model):
        probabilities = special.expit(outputs).mean(0)
        present = probabilities > PRESENT
    units = []
    for column, unit in enumerate(model.classes):
        learned, probability = bool(model.learned[:, column].any()), probabilities[column]
        units.append(
            ActionUnit(
                unit=unit,
                present=learned and bool(present[column]),
                probability=float(probability) if learned and probability is not None else None,
                output=float(mean[column]),
                detected_by=int((outputs[:, column] > 0).sum()),
            )
        )
    return {
        'outcome': answer.UNITS if any(each.present for each in units) else answer.NO_UNIT,
        'action_units': tuple(units),
        'class_of_training_data': None,
        'scores': None,
        'probabilities': None,
        'agreement_of_folds': None,
    }


def facts_of(model: Trained) -> Detection | None:
    """Return how well a model detects action units; None of a model of classes."""
    if model.learned is None:
        return None
    metrics, intervals = model.facts.get('metrics', {}), model.facts.get('intervals', {})
    blocks = {block['unit']: block for block in model.facts.get('per_unit', ())}
    units = []
    for unit, learned in zip(model.classes, model.learned.T, strict=True):
        block = blocks.get(unit)
        units.append(
            UnitFacts(
                unit=unit,
                learned_by=int(learned.sum()),
                f1=block and block['f1'],
                average_precision=block and block['average_precision'],
                chance=block and block['chance_average_precision'],
                above_chance=block is not None and action_units_tables.is_detected(block),
            )
        )
    precision = 'average_precision'
    return Detection(
        f1=metrics.get('f1'),
        f1_interval=_edges(intervals.get('f1')),
        average_precision=metrics.get(precision),
        average_precision_interval=_edges(intervals.get(precision)),
        outputs=answer.LOGITS if _has_probabilities(model) else answer.DECISIONS,
        units=tuple(units),
    )


def _has_probabilities(model):
    """Whether outputs are logits; the decision values of SVMs are no probabilities."""
    return model.settings.head.name == 'none'


def _edges(interval):
    return interval and tuple(interval)
