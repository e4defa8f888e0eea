"""Changes of one training sample, drawn anew each time it is seen; the image is [H, W, C] in bytes 0..255 or in pixels of
flow, a clip [T, H, W, 1] in bytes; float32 from here on."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.preprocess.regions import action_unit_region

CHANGES = ('flip', 'erase', 'replace', 'rotate', 'crop', 'contrast', 'brightness')
UNITS = ('image', 'union')
REGIONS = ('mouth', 'either')


def compose(*, flip, erase, replace, replace_region, replace_units, rotate, crop, contrast, brightness, names, channels,
            stretched):
    """augment(key, sample, donor) -> sample, for samples of Samples without the leading axis; None where nothing is on.

    flip, erase, replace: probabilities; rotate, crop, contrast, brightness: of `moved` and `lit`. donor: a training row of
    the same class, changed on its own before a region of it is used. names: of the action units; channels: of the image;
    stretched: whether it is in bytes.
    """
    clip = {'rotate': rotate, 'crop': crop}, {'contrast': contrast, 'brightness': brightness}
    if not (flip or erase or replace or any(clip[0].values()) or any(clip[1].values())):
        return None
    alone = partial(_alone, flip=flip, erase_share=erase, clip=clip, u=_u_channels(channels), partner=mirrored(names),
                    stretched=stretched)
    if not replace:
        return lambda key, sample, donor: alone(key, sample)
    halves = np.array([[action_unit_region(name.lstrip('LR')) == half for name in names] for half in ('eyes', 'mouth')])

    def augment(key, sample, donor):
        keys = jax.random.split(key, 3)
        sample, donor = alone(keys[0], sample), alone(keys[1], donor)
        return replaced(keys[2], sample, donor, share=replace, halves=halves.reshape(2, -1), units=replace_units,
                        region=replace_region)

    return augment


def _alone(key, sample, *, flip, erase_share, clip, u, partner, stretched):
    keys = jax.random.split(key, 4)
    image = sample.image.astype(jnp.float32)
    for own, change, amounts in zip(keys[2:], (moved, lit), clip, strict=True):
        image = change(own, image, **amounts) if any(amounts.values()) else image
    sample = sample._replace(image=image)
    sample = flipped(keys[0], sample, share=flip, u=u, partner=partner, stretched=stretched) if flip else sample
    if not erase_share:
        return sample
    return sample._replace(image=erase(keys[1], sample.image, share=erase_share, spread=255.0 if stretched else 1.0))


def flipped(key, sample, *, share, u, partner, stretched):
    """With probability `share` the mirror image: u (bool[C]) turns its sign, left and right action units change places.

    A u stretched to bytes turns its sign as 255 - u: its own smallest value became 0 and its largest 255.
    partner: int[A], the column of the mirrored unit.
    """
    image = sample.image[..., ::-1, :]  # of a clip every frame
    image = jnp.where(u, 255 - image if stretched else -image, image)
    return _either(key, share, sample._replace(image=image, action_units=sample.action_units[partner]), sample)


def mirrored(names):
    """int[A]: for each action unit the column of its mirror image: 'L12' and 'R12' are each other's, '12' its own."""
    names, swap = list(names), str.maketrans('LR', 'RL')
    other = [name.translate(swap) for name in names]
    return np.array([names.index(name) if name in names else i for i, name in enumerate(other)], int)


def moved(key, image, *, rotate, crop):
    """image [..., H, W, C], every frame alike, turned by up to `rotate` degrees either way, and of it a window whose sides
    are 1 - `crop` to 1 of the whole, anywhere, at the size of the whole; what lies outside is 0 (Irawan et al. 2024)."""
    keys = jax.random.split(key, 3)
    angle = jnp.deg2rad(jax.random.uniform(keys[0], minval=-rotate, maxval=rotate))
    side = 1 - crop * jax.random.uniform(keys[1])
    corner = (1 - side) * jax.random.uniform(keys[2], (2,))
    return turned(image, angle, side, corner)


def turned(image, angle, side, corner):
    """The window of image [..., H, W, C] with `corner` (top, left) and `side`, shares of the whole, turned by `angle`
    radians about the middle of the image; bilinear."""
    height, width = size = image.shape[-3:-1]
    down, right = (n * (side * (jnp.arange(n) + 0.5) / n + start - 0.5) for n, start in zip(size, corner, strict=True))
    y = height / 2 - 0.5 + jnp.cos(angle) * down[:, None] - jnp.sin(angle) * right
    x = width / 2 - 0.5 + jnp.sin(angle) * down[:, None] + jnp.cos(angle) * right
    pictures = jnp.moveaxis(image, -1, -3).reshape(-1, *size)
    found = jax.vmap(lambda one: jax.scipy.ndimage.map_coordinates(one, [y, x], order=1))(pictures)
    return jnp.moveaxis(found.reshape(*image.shape[:-3], -1, *size), -3, -1)


def lit(key, image, *, contrast, brightness):
    """image in 0..255 times 1 - `brightness` to 1 + `brightness`, and its distance from its mean times 1 - `contrast` to
    1 + `contrast`, cut to 0..255; what a mask made black stays black and has no part in the mean."""
    keys = jax.random.split(key)
    seen = image > 0
    image = image * (1 + brightness * jax.random.uniform(keys[0], minval=-1))
    mean = image.sum() / jnp.maximum(seen.sum(), 1)
    image = mean + (image - mean) * (1 + contrast * jax.random.uniform(keys[1], minval=-1))
    return jnp.where(seen, jnp.clip(image, 0, 255), 0)


def erase(key, image, *, share, spread, area=(0.02, 1 / 3), ratio=(0.3, 3.3), tries=10):
    """With probability `share` a rectangle of the image [H, W, C] becomes Gaussian noise of standard deviation `spread`.

    As RandomErasing of torchvision with value='random' (Zhong et al. 2020): the first of ten rectangles, of an area and a
    ratio of sides (drawn evenly on a log scale) in these ranges, that fits the image; none where none does.
    """
    height, width, _ = image.shape
    keys = jax.random.split(key, 5)
    target = height * width * jax.random.uniform(keys[0], (tries,), minval=area[0], maxval=area[1])
    aspect = jnp.exp(jax.random.uniform(keys[1], (tries,), minval=np.log(ratio[0]), maxval=np.log(ratio[1])))
    tall, wide = jnp.round(jnp.sqrt(target * aspect)), jnp.round(jnp.sqrt(target / aspect))
    fits = (tall < height) & (wide < width)
    first = jnp.argmax(fits)
    corner = jnp.floor(jax.random.uniform(keys[2], (2,)) * jnp.stack([height - tall[first] + 1, width - wide[first] + 1]))
    rows, columns = jnp.arange(height)[:, None], jnp.arange(width)
    inside = (rows >= corner[0]) & (rows < corner[0] + tall[first]) & (columns >= corner[1]) & (columns < corner[1] + wide[first])
    chosen = jax.random.bernoulli(keys[3], share) & fits.any()
    return jnp.where((inside & chosen)[..., None], spread * jax.random.normal(keys[4], image.shape), image)


def replaced(key, sample, donor, *, share, halves, units, region):
    """Region Replacing (Ruan et al. 2022, 3.2): with probability `share` the mouth, the lower half, is that of the donor.

    halves: bool[2, A], units of the eyes and of the mouth. units: 'image' (eyes of the sample, mouth of the donor, head
    movements of the sample: what the image shows) or 'union' (all of both, as released). region 'either' replaces eyes or
    mouth, as likely.
    """
    keys = jax.random.split(key)
    eyes = jax.random.bernoulli(keys[1]) if region == 'either' else jnp.array(False)
    lower = jnp.arange(sample.image.shape[0])[:, None, None] >= sample.image.shape[0] // 2
    image = jnp.where(lower != eyes, donor.image, sample.image)
    from_donor = jnp.where(eyes, halves[0], halves[1])
    shown = jnp.where(from_donor, donor.action_units, sample.action_units)
    both = jnp.maximum(sample.action_units, donor.action_units)
    parts = jnp.where(jnp.array([False, True]) != eyes, donor.parts, sample.parts)
    changed = sample._replace(image=image, action_units=shown if units == 'image' else both, parts=parts)
    return _either(keys[0], share, changed, sample)


def _either(key, share, changed, sample):
    chosen = jax.random.bernoulli(key, share)
    return jax.tree.map(lambda a, b: jnp.where(chosen, a, b), changed, sample)


def _u_channels(channels):
    return np.array([channel == 'u' for channel in channels])
