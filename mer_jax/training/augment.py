"""Augmentation: random changes of a training sample.

They are drawn anew each time the sample is seen. An image is [H, W, C], in bytes 0..255 or in
pixels of flow; a clip is [T, H, W, 1], in bytes. Functions here return both as float32.
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.data.channels import ACROSS, FRAMES
from mer_jax.errors import UserError
from mer_jax.preprocess.regions import action_unit_region
from mer_jax.settings import sections
from mer_jax.training.changes import CHANGES
from mer_jax.types import Samples

Augmentation = Callable[[jax.Array, Samples, Samples], Samples]


def compose(
    settings: sections.Augment, *, names: Sequence[str], channels: Sequence[str], in_bytes: bool
) -> Augmentation | None:
    """Return all changes of the settings as one function.

    Args:
        settings: of section augment.
        names: of the action units.
        channels: of the image.
        in_bytes: whether the image is in bytes.

    Returns:
        (key, sample, donor) -> sample, for Samples without the leading axis; None where no change
        is on. The donor, a training row of the same class, is changed by its own draws; then half
        of it is used.

    Raises:
        UserError: a change needs flow in pixels, and the images are in bytes.
    """
    if not any(getattr(settings, change) for change in CHANGES):
        return None
    # By the images, not by data.clip_normalise: published features are always in bytes.
    changes_vectors = settings.rotate or settings.noise or settings.flow_scale
    if in_bytes and 'gray' not in channels and changes_vectors:
        raise UserError(
            'augment.rotate, noise and flow_scale take flow in pixels, and this data set stores '
            'bytes; allowed: 0'
        )
    change_alone = partial(
        _change_alone,
        settings=settings,
        channels=channels,
        partner=mirrored_units(names),
        in_bytes=in_bytes,
    )
    if not settings.replace:
        return lambda key, sample, donor: change_alone(key, sample)
    halves = _units_of_halves(names)

    def augment(key: jax.Array, sample: Samples, donor: Samples) -> Samples:
        keys = jax.random.split(key, 3)
        return replace_region(
            keys[2],
            change_alone(keys[0], sample),
            change_alone(keys[1], donor),
            share=settings.replace,
            halves=halves,
            units=settings.replace_units,
            region=settings.replace_region,
        )

    return augment


def _units_of_halves(names):
    """Return the action units of eyes and mouth, bool[2, A]."""
    regions = [action_unit_region(name.lstrip('LR')) for name in names]
    eyes = [region == 'eyes' for region in regions]
    mouth = [region == 'mouth' for region in regions]
    return np.array([eyes, mouth]).reshape(2, -1)


def _change_alone(key, sample, *, settings, channels, partner, in_bytes):
    """Make all changes of a sample that need no donor."""
    keys = jax.random.split(key, 4)
    image = sample.image.astype(jnp.float32)
    if 'gray' in channels:
        image = _change_video(keys[2:], image, settings)
    else:
        image = jitter_flow(keys[2], image, settings=settings, channels=channels)
    sample = sample._replace(image=image)
    if settings.flip:
        u = horizontal_channels(channels)
        sample = flip(keys[0], sample, share=settings.flip, u=u, partner=partner, in_bytes=in_bytes)
    if not settings.erase:
        return sample
    spread = 255.0 if in_bytes else 1.0
    return sample._replace(image=erase(keys[1], sample.image, share=settings.erase, spread=spread))


def _change_video(keys, image, settings):
    """Rotate, crop and light a clip."""
    if settings.rotate or settings.crop:
        image = rotate_and_crop(keys[0], image, angle=settings.rotate, crop=settings.crop)
    if settings.contrast or settings.brightness:
        image = jitter_light(
            keys[1], image, contrast=settings.contrast, brightness=settings.brightness
        )
    return image


def jitter_flow(
    key: jax.Array, image: jax.Array, *, settings: sections.Augment, channels: Sequence[str]
) -> jax.Array:
    """Change key frames and flow together, at random.

    The result looks as if the clip had been recorded differently. The image is rotated by up to
    `rotate` degrees, and its vectors with it. Contrast and brightness of key frames change, for
    all frames alike. Flow and strain grow by a factor of 1 - `flow_scale` to 1 + `flow_scale`.
    Noise of standard deviation `noise`, in pixels, is added to flow alone.

    Args:
        key: of the draws.
        image: [H, W, C]; key frames in 0..255, flow in pixels.
        settings: how much each changes.
        channels: names of the C channels.
    """
    keys = jax.random.split(key, 4)
    of_frames = np.isin(channels, FRAMES)
    vector = np.isin(channels, ('u', 'v', 'u2', 'v2'))
    if settings.rotate:
        degrees = jax.random.uniform(keys[0], minval=-settings.rotate, maxval=settings.rotate)
        image = _rotate_flow(image, jnp.deg2rad(degrees), channels)
    if (settings.contrast or settings.brightness) and of_frames.any():
        frames = jitter_light(
            keys[1],
            image[..., of_frames],
            contrast=settings.contrast,
            brightness=settings.brightness,
        )
        image = image.at[..., of_frames].set(frames)
    if settings.flow_scale:
        factor = 1 + settings.flow_scale * jax.random.uniform(keys[2], minval=-1)
        image = jnp.where(of_frames, image, image * factor)
    if settings.noise:
        image = image + vector * settings.noise * jax.random.normal(keys[3], image.shape)
    return image


def _rotate_flow(image, angle, channels):
    """Rotate an image and the vectors in it."""
    image = rotate(image, angle, 1.0, (0.0, 0.0))
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    for names in (('u', 'v'), ('u2', 'v2')):
        u, v = (image[..., channels.index(name)] if name in channels else 0 for name in names)
        rotated = (cos * u - sin * v, sin * u + cos * v)
        for name, value in zip(names, rotated, strict=True):
            if name in channels:
                image = image.at[..., channels.index(name)].set(value)
    return image


def flip(
    key: jax.Array,
    sample: Samples,
    *,
    share: float,
    u: np.ndarray,
    partner: np.ndarray,
    in_bytes: bool,
) -> Samples:
    """Mirror a sample with probability `share`.

    The sign of horizontal motion turns, and left and right action units change places. A u stored
    in bytes becomes 255 - u: its range was stretched to 0..255.

    Args:
        key: of the draw.
        sample: with an image [H, W, C], or a clip, of which every frame is mirrored.
        share: probability.
        u: bool[C], channels of horizontal motion.
        partner: int[A], column of the mirror image of each action unit.
        in_bytes: whether the image is in bytes.
    """
    changed = sample._replace(image=mirrored(sample.image, u=u, in_bytes=in_bytes))
    if 'action_units' in sample.extras:
        changed = changed.with_extras(action_units=sample.extras['action_units'][partner])
    return _either(key, share, changed, sample)


def mirrored(image: jax.Array, *, u: np.ndarray, in_bytes: bool) -> jax.Array:
    """Return the mirror image of an image, or of every frame of a clip.

    Args:
        image: [..., H, W, C].
        u: as of `flip`.
        in_bytes: as of `flip`.
    """
    image = image[..., ::-1, :]
    return jnp.where(u, 255 - image if in_bytes else -image, image)


def mirrored_units(names: Sequence[str]) -> np.ndarray:
    """Return the column of the mirror image of each action unit, int[A].

    'L12' and 'R12' mirror each other, '12' mirrors itself, and so does a unit without a partner.
    """
    names = list(names)
    swap = str.maketrans('LR', 'RL')
    columns = []
    for column, name in enumerate(names):
        mirrored = name.translate(swap)
        columns.append(names.index(mirrored) if mirrored in names else column)
    return np.array(columns, int)


def rotate_and_crop(key: jax.Array, image: jax.Array, *, angle: float, crop: float) -> jax.Array:
    """Rotate and crop an image at random (Irawan et al. 2024).

    It is rotated by up to `angle` degrees either way. A window of it, anywhere, whose area is
    1 - `crop` to 1 of the whole, is enlarged to the size of the whole. What lies outside is 0.

    Args:
        key: of the draws.
        image: [..., H, W, C]; all frames change alike.
        angle: in degrees.
        crop: share of the area.
    """
    keys = jax.random.split(key, 3)
    radians = jnp.deg2rad(jax.random.uniform(keys[0], minval=-angle, maxval=angle))
    side = jnp.sqrt(1 - crop * jax.random.uniform(keys[1]))
    corner = (1 - side) * jax.random.uniform(keys[2], (2,))
    return rotate(image, radians, side, corner)


def rotate(
    image: jax.Array,
    angle: float | jax.Array,
    side: float | jax.Array,
    corner: tuple[float, float] | jax.Array,
) -> jax.Array:
    """Rotate a window of an image, bilinearly.

    The centre of the rotation is the middle of the image.

    Args:
        image: [..., H, W, C].
        angle: in radians.
        side: of the window, as a share of the whole.
        corner: of the window (top, left), as shares of the whole.

    Returns:
        The window, at the size of the whole.
    """
    size = image.shape[-3:-1]
    height, width = size
    down, right = (
        n * (side * (jnp.arange(n) + 0.5) / n + start - 0.5)
        for n, start in zip(size, corner, strict=True)
    )
    y = height / 2 - 0.5 + jnp.cos(angle) * down[:, None] - jnp.sin(angle) * right
    x = width / 2 - 0.5 + jnp.sin(angle) * down[:, None] + jnp.cos(angle) * right
    planes = jnp.moveaxis(image, -1, -3).reshape(-1, *size)

    def sample_plane(plane: jax.Array) -> jax.Array:
        return jax.scipy.ndimage.map_coordinates(plane, [y, x], order=1)

    rotated = jax.vmap(sample_plane)(planes).reshape(*image.shape[:-3], -1, *size)
    return jnp.moveaxis(rotated, -3, -1)


def jitter_light(
    key: jax.Array, image: jax.Array, *, contrast: float, brightness: float
) -> jax.Array:
    """Change brightness and contrast at random.

    The image is multiplied by 1 - `brightness` to 1 + `brightness`, and its distance from its mean
    by 1 - `contrast` to 1 + `contrast`. What a mask made black stays black and does not count in
    the mean.

    Args:
        key: of the draws.
        image: in 0..255; the result is cut to that range.
        contrast: 0 to 1.
        brightness: 0 to 1.
    """
    keys = jax.random.split(key)
    visible = image > 0
    image = image * (1 + brightness * jax.random.uniform(keys[0], minval=-1))
    mean = image.sum() / jnp.maximum(visible.sum(), 1)
    image = mean + (image - mean) * (1 + contrast * jax.random.uniform(keys[1], minval=-1))
    return jnp.where(visible, jnp.clip(image, 0, 255), 0)


def erase(
    key: jax.Array,
    image: jax.Array,
    *,
    share: float,
    spread: float,
    area: tuple[float, float] = (0.02, 0.3),
    ratio: tuple[float, float] = (0.3, 3.3),
    tries: int = 10,
) -> jax.Array:
    """Fill a rectangle with Gaussian noise, with probability `share`.

    As RandomErasing of torchvision with value='random' (Zhong et al. 2020): the first rectangle
    of those tried that fits the image; none where none fits. The range of areas is from the code of
    Ruan et al. 2022.

    Args:
        key: of the draws.
        image: [H, W, C].
        share: probability.
        spread: standard deviation of the noise.
        area: least and largest area, as a share of the image.
        ratio: least and largest ratio of the sides; drawn evenly on a log scale.
        tries: rectangles that are tried.
    """
    height, width, _ = image.shape
    keys = jax.random.split(key, 5)
    target = height * width * jax.random.uniform(keys[0], (tries,), minval=area[0], maxval=area[1])
    low, high = np.log(ratio[0]), np.log(ratio[1])
    aspect = jnp.exp(jax.random.uniform(keys[1], (tries,), minval=low, maxval=high))
    tall = jnp.round(jnp.sqrt(target * aspect))
    wide = jnp.round(jnp.sqrt(target / aspect))
    fits = (tall < height) & (wide < width)
    first = jnp.argmax(fits)
    room = jnp.stack([height - tall[first] + 1, width - wide[first] + 1])
    top, left = jnp.floor(jax.random.uniform(keys[2], (2,)) * room)
    rows, columns = jnp.arange(height)[:, None], jnp.arange(width)
    inside_rows = (rows >= top) & (rows < top + tall[first])
    inside_columns = (columns >= left) & (columns < left + wide[first])
    inside = inside_rows & inside_columns
    erased = jax.random.bernoulli(keys[3], share) & fits.any()
    noise = spread * jax.random.normal(keys[4], image.shape)
    return jnp.where((inside & erased)[..., None], noise, image)


def replace_region(
    key: jax.Array,
    sample: Samples,
    donor: Samples,
    *,
    share: float,
    halves: np.ndarray,
    units: str,
    region: str,
) -> Samples:
    """Replace one half of the face, with probability `share`.

    The new half is that of a donor.

    Region Replacing (Ruan et al. 2022, 3.2).

    Args:
        key: of the draws.
        sample: whose other half stays.
        donor: of the same class.
        share: probability.
        halves: bool[2, A], action units of the eyes and of the mouth.
        units: 'image': the donor's units in the new half, else the sample's. 'union': all units of
            both, as released.
        region: 'mouth' (lower half), or 'either' (eyes or mouth, equally likely).
    """
    keys = jax.random.split(key)
    eyes = jax.random.bernoulli(keys[1]) if region == 'either' else jnp.array(False)
    lower = jnp.arange(sample.image.shape[0])[:, None, None] >= sample.image.shape[0] // 2
    from_donor_half = jnp.where(eyes, ~lower, lower)
    image = jnp.where(from_donor_half, donor.image, sample.image)
    from_donor = jnp.where(eyes, halves[0], halves[1])
    present, donated = sample.extras['action_units'], donor.extras['action_units']
    if units == 'image':
        action_units = jnp.where(from_donor, donated, present)
    else:
        action_units = jnp.maximum(present, donated)
    half_of_donor = jnp.array([False, True]) != eyes  # (upper, lower)
    half_source = jnp.where(
        half_of_donor, donor.extras['half_source'], sample.extras['half_source']
    )
    changed = sample._replace(image=image)
    changed = changed.with_extras(action_units=action_units, half_source=half_source)
    return _either(keys[0], share, changed, sample)


def with_half_source(samples: Samples) -> Samples:
    """Add the extra `half_source`: at first each row itself."""
    rows = np.arange(len(samples.label), dtype=np.int32)
    return samples.with_extras(half_source=np.repeat(rows[:, None], 2, axis=1))


def horizontal_channels(channels: Sequence[str]) -> np.ndarray:
    """Return which channels turn their sign in a mirror, bool[C]."""
    return np.array([channel in ACROSS for channel in channels])


def _either(key, share, changed, sample):
    """Return `changed` with probability `share`, else `sample`."""
    chosen = jax.random.bernoulli(key, share)
    return jax.tree.map(lambda a, b: jnp.where(chosen, a, b), changed, sample)
