"""Changes of one training sample, drawn anew each time it is seen; the image is [H, W, C] in bytes
0..255 or in pixels of flow, a clip [T, H, W, 1] in bytes; float32 from here on.
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.data.channels import ACROSS, PHASES
from mer_jax.errors import UserError
from mer_jax.preprocess.regions import action_unit_region
from mer_jax.settings import sections
from mer_jax.training.changes import CHANGES


def compose(
    settings: sections.Augment, *, names: Sequence[str], channels: Sequence[str], stretched: bool
) -> Callable | None:
    """The changes that settings switch on, as one function; None where nothing is on.

    Args:
        settings: of section augment.
        names: of the action units.
        channels: of the image.
        stretched: whether the image is in bytes.

    Returns:
        augment(key, sample, donor) -> sample, for samples of Samples without the leading axis.
        donor: a training row of the same class, changed on its own before a region of it is used.

    Raises:
        UserError: vectors are to change that are in bytes.
    """
    flip, erase, replace = settings.flip, settings.erase, settings.replace
    rotate, noise, flow_scale = settings.rotate, settings.noise, settings.flow_scale
    light = {'contrast': settings.contrast, 'brightness': settings.brightness}
    if not any(getattr(settings, change) for change in CHANGES):
        return None
    # published features under data.input_scaler=standard
    if stretched and 'gray' not in channels and (rotate or noise or flow_scale):
        raise UserError(
            'augment.rotate, noise and flow_scale take flow in pixels, and this data set stores '
            'bytes; allowed: 0'
        )
    whole = (
        partial(_video, rotate=rotate, crop=settings.crop, **light)
        if 'gray' in channels
        else partial(
            felt, rotate=rotate, noise=noise, flow_scale=flow_scale, channels=channels, **light
        )
    )
    alone = partial(
        _alone,
        flip=flip,
        erase_share=erase,
        whole=whole,
        u=_u_channels(channels),
        partner=mirrored(names),
        stretched=stretched,
    )
    if not replace:
        return lambda key, sample, donor: alone(key, sample)
    halves = np.array(
        [
            [action_unit_region(name.lstrip('LR')) == half for name in names]
            for half in ('eyes', 'mouth')
        ]
    )

    def augment(key, sample, donor):
        keys = jax.random.split(key, 3)
        sample, donor = alone(keys[0], sample), alone(keys[1], donor)
        return replaced(
            keys[2],
            sample,
            donor,
            share=replace,
            halves=halves.reshape(2, -1),
            units=settings.replace_units,
            region=settings.replace_region,
        )

    return augment


def _alone(key, sample, *, flip, erase_share, whole, u, partner, stretched):
    keys = jax.random.split(key, 4)
    sample = sample._replace(image=whole(keys[2:], sample.image.astype(jnp.float32)))
    sample = (
        flipped(keys[0], sample, share=flip, u=u, partner=partner, stretched=stretched)
        if flip
        else sample
    )
    if not erase_share:
        return sample
    return sample._replace(
        image=erase(keys[1], sample.image, share=erase_share, spread=255.0 if stretched else 1.0)
    )


def _video(keys, image, *, rotate, crop, contrast, brightness):
    image = moved(keys[0], image, rotate=rotate, crop=crop) if rotate or crop else image
    return (
        lit(keys[1], image, contrast=contrast, brightness=brightness)
        if contrast or brightness
        else image
    )


def felt(keys, image, *, rotate, contrast, brightness, noise, flow_scale, channels):
    """Key frames in 0..255 and flow in pixels, [H, W, C] of `channels`, as one clip seen and moved
    a little otherwise.

    The picture is turned by up to `rotate` degrees and the vectors with it; gray frames are `lit`,
    all alike; flow and strain grow by a factor of 1 - `flow_scale` to 1 +
    `flow_scale`; noise: its
    standard deviation in pixels, added to the flow alone.
    """
    keys = jax.random.split(keys[0], 4)
    gray, vector = (
        np.isin(channels, names) for names in (PHASES['key_frames'], ('u', 'v', 'u2', 'v2'))
    )
    if rotate:
        image = _turned_vectors(
            image, jnp.deg2rad(jax.random.uniform(keys[0], minval=-rotate, maxval=rotate)), channels
        )
    if (contrast or brightness) and gray.any():
        image = image.at[..., gray].set(
            lit(keys[1], image[..., gray], contrast=contrast, brightness=brightness)
        )
    if flow_scale:
        image = jnp.where(
            gray, image, image * (1 + flow_scale * jax.random.uniform(keys[2], minval=-1))
        )
    return image + vector * noise * jax.random.normal(keys[3], image.shape) if noise else image


def _turned_vectors(image, angle, channels):
    """`turned` about the middle, and (u, v) of each phase turned by the same angle."""
    image, (sin, cos) = turned(image, angle, 1.0, (0.0, 0.0)), (jnp.sin(angle), jnp.cos(angle))
    for names in (('u', 'v'), ('u2', 'v2')):
        u, v = (image[..., channels.index(name)] if name in channels else 0 for name in names)
        for name, value in zip(names, (cos * u - sin * v, sin * u + cos * v), strict=True):
            image = image.at[..., channels.index(name)].set(value) if name in channels else image
    return image


def flipped(key, sample, *, share, u, partner, stretched):
    """With probability `share` the mirror image: u (bool[C]) turns its sign, left and right action
    units change places.

    A u stretched to bytes turns its sign as 255 - u: its own smallest value became 0 and its
    largest 255.
    partner: int[A], the column of the mirrored unit.
    """
    image = sample.image[..., ::-1, :]  # of a clip every frame
    image = jnp.where(u, 255 - image if stretched else -image, image)
    changed = sample._replace(image=image)
    if 'action_units' in sample.extras:
        changed = changed.with_extras(action_units=sample.extras['action_units'][partner])
    return _either(key, share, changed, sample)


def mirrored(names):
    """int[A]: for each action unit the column of its mirror image: 'L12' and 'R12' are each
    other's, '12' its own.
    """
    names, swap = list(names), str.maketrans('LR', 'RL')
    other = [name.translate(swap) for name in names]
    return np.array(
        [names.index(name) if name in names else i for i, name in enumerate(other)], int
    )


def moved(key, image, *, rotate, crop):
    """image [..., H, W, C], every frame alike, turned by up to `rotate` degrees either way, and of
    it a window whose sides are 1 - `crop` to 1 of the whole, anywhere, at the size of the whole;
    what lies outside is 0 (Irawan et al. 2024).
    """
    keys = jax.random.split(key, 3)
    angle = jnp.deg2rad(jax.random.uniform(keys[0], minval=-rotate, maxval=rotate))
    side = 1 - crop * jax.random.uniform(keys[1])
    corner = (1 - side) * jax.random.uniform(keys[2], (2,))
    return turned(image, angle, side, corner)


def turned(image, angle, side, corner):
    """The window of image [..., H, W, C] with `corner` (top, left) and `side`, shares of the whole,
    turned by `angle` radians about the middle of the image; bilinear.
    """
    height, width = size = image.shape[-3:-1]
    down, right = (
        n * (side * (jnp.arange(n) + 0.5) / n + start - 0.5)
        for n, start in zip(size, corner, strict=True)
    )
    y = height / 2 - 0.5 + jnp.cos(angle) * down[:, None] - jnp.sin(angle) * right
    x = width / 2 - 0.5 + jnp.sin(angle) * down[:, None] + jnp.cos(angle) * right
    pictures = jnp.moveaxis(image, -1, -3).reshape(-1, *size)
    found = jax.vmap(lambda one: jax.scipy.ndimage.map_coordinates(one, [y, x], order=1))(pictures)
    return jnp.moveaxis(found.reshape(*image.shape[:-3], -1, *size), -3, -1)


def lit(key, image, *, contrast, brightness):
    """image in 0..255 times 1 - `brightness` to 1 + `brightness`, and its distance from its mean
    times 1 - `contrast` to 1 + `contrast`, cut to 0..255; what a mask made black stays black and
    has no part in the mean.
    """
    keys = jax.random.split(key)
    seen = image > 0
    image = image * (1 + brightness * jax.random.uniform(keys[0], minval=-1))
    mean = image.sum() / jnp.maximum(seen.sum(), 1)
    image = mean + (image - mean) * (1 + contrast * jax.random.uniform(keys[1], minval=-1))
    return jnp.where(seen, jnp.clip(image, 0, 255), 0)


def erase(key, image, *, share, spread, area=(0.02, 1 / 3), ratio=(0.3, 3.3), tries=10):
    """With probability `share` a rectangle of the image [H, W, C] becomes Gaussian noise of
    standard deviation `spread`.

    As RandomErasing of torchvision with value='random' (Zhong et al. 2020): the first of ten
    rectangles, of an area and a ratio of sides (drawn evenly on a log scale) in these ranges, that
    fits the image; none where none does.
    """
    height, width, _ = image.shape
    keys = jax.random.split(key, 5)
    target = height * width * jax.random.uniform(keys[0], (tries,), minval=area[0], maxval=area[1])
    aspect = jnp.exp(
        jax.random.uniform(keys[1], (tries,), minval=np.log(ratio[0]), maxval=np.log(ratio[1]))
    )
    tall, wide = jnp.round(jnp.sqrt(target * aspect)), jnp.round(jnp.sqrt(target / aspect))
    fits = (tall < height) & (wide < width)
    first = jnp.argmax(fits)
    corner = jnp.floor(
        jax.random.uniform(keys[2], (2,))
        * jnp.stack([height - tall[first] + 1, width - wide[first] + 1])
    )
    rows, columns = jnp.arange(height)[:, None], jnp.arange(width)
    inside = (
        (rows >= corner[0])
        & (rows < corner[0] + tall[first])
        & (columns >= corner[1])
        & (columns < corner[1] + wide[first])
    )
    chosen = jax.random.bernoulli(keys[3], share) & fits.any()
    return jnp.where(
        (inside & chosen)[..., None], spread * jax.random.normal(keys[4], image.shape), image
    )


def replaced(key, sample, donor, *, share, halves, units, region):
    """Region Replacing (Ruan et al. 2022, 3.2): with probability `share` the mouth, the lower half,
    is that of the donor.

    halves: bool[2, A], units of the eyes and of the mouth. units: 'image' (eyes of the sample,
    mouth of the donor, head
    movements of the sample: what the image shows) or 'union' (all of both, as released). region
    'either' replaces eyes or mouth, as likely.
    """
    keys = jax.random.split(key)
    eyes = jax.random.bernoulli(keys[1]) if region == 'either' else jnp.array(False)
    lower = jnp.arange(sample.image.shape[0])[:, None, None] >= sample.image.shape[0] // 2
    image = jnp.where(lower != eyes, donor.image, sample.image)
    from_donor = jnp.where(eyes, halves[0], halves[1])
    present, donated = sample.extras['action_units'], donor.extras['action_units']
    shown = jnp.where(from_donor, donated, present)
    both = jnp.maximum(present, donated)
    source = jnp.where(
        jnp.array([False, True]) != eyes, donor.extras['half_source'], sample.extras['half_source']
    )
    changed = sample._replace(image=image).with_extras(
        action_units=shown if units == 'image' else both, half_source=source
    )
    return _either(keys[0], share, changed, sample)


def with_half_source(samples):
    """Samples whose extras say of each half of an image which row it shows: at first its own."""
    rows = np.arange(len(samples.label), dtype=np.int32)
    return samples.with_extras(half_source=np.repeat(rows[:, None], 2, axis=1))


def _either(key, share, changed, sample):
    chosen = jax.random.bernoulli(key, share)
    return jax.tree.map(lambda a, b: jnp.where(chosen, a, b), changed, sample)


def _u_channels(channels):
    return np.array([channel in ACROSS for channel in channels])
