"""Flow, strain and magnitude against hand-computed fields, plain loops, OpenCV, SciPy, known warps
and drawn faces.
"""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from mer_jax.errors import UserError
from mer_jax.preprocess import flow
from mer_jax.preprocess.synthetic import clips


def texture(size=96, seed=0):
    """A smooth random 8-bit picture with structure at several scales."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), sigma) for sigma in (1.5, 3, 8)
    ]
    total = sum(layer / layer.std() for layer in layers)
    return np.clip(128 + 30 * total, 0, 255).astype(np.uint8)


def moved(picture, field):
    """The picture whose pixel x + field lies where pixel x was, for a slowly varying field."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    return cv2.remap(
        picture,
        x - field[..., 0],
        y - field[..., 1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )


def linear_field(matrix, size=12):
    """Field (u, v) = matrix @ (x, y) on a square grid."""
    y, x = np.mgrid[:size, :size].astype(np.float64)
    return np.stack([x, y], -1) @ np.array(matrix).T


@pytest.mark.parametrize(
    'matrix, expected',
    [
        ([[0, 0], [0, 0]], 0),  # translation (below with an offset)
        ([[0, 0.1], [0, 0]], 0.1 / np.sqrt(2)),  # shear: exy = 0.05, sqrt(2 * 0.05^2)
        ([[0.1, 0], [0, 0.1]], 0.1 * np.sqrt(2)),  # expansion: exx = eyy = 0.1
        ([[0.2, 0], [0, 0]], 0.2),  # stretch along x: u = kx gives k
        ([[0, 0], [0, 0.3]], 0.3),  # stretch along y
        ([[0, 0.2], [0, 0]], 0.2 / np.sqrt(2)),  # u = ky gives k / sqrt(2)
        ([[0, -0.1], [0.1, 0]], 0),  # rotation: exy = (-0.1 + 0.1) / 2
        ([[0, 0.1], [0.1, 0]], 0.1 * np.sqrt(2)),  # pure shear: exy = 0.1
    ],
)
def test_strain_of_linear_fields(matrix, expected):
    """A lost cross term, swapped axes or a missing factor 2 gives other numbers; a shift or a turn
    must not strain.
    """
    strain = flow.strain(linear_field(matrix) + (3.0, -2.0))
    assert strain.dtype == np.float32
    np.testing.assert_allclose(strain[1:-1, 1:-1], expected, atol=1e-6)


def test_strain_equals_a_plain_loop_up_to_the_border():
    """An off-by-one in the padding would show at the border only."""
    field = np.random.default_rng(1).standard_normal((7, 9, 2)).astype(np.float32)
    height, width, _ = field.shape

    def at(row, column):
        row = -row if row < 0 else 2 * (height - 1) - row if row >= height else row
        column = -column if column < 0 else 2 * (width - 1) - column if column >= width else column
        return field[row, column]

    expected = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            (ux, vx), (uy, vy) = (
                (at(i, j + 1) - at(i, j - 1)) / 2,
                (at(i + 1, j) - at(i - 1, j)) / 2,
            )
            expected[i, j] = np.sqrt(ux**2 + vy**2 + 2 * ((uy + vx) / 2) ** 2)
    np.testing.assert_allclose(flow.strain(field), expected, rtol=1e-5, atol=1e-6)


def test_tvl1_is_opencv_with_scale_step_half():
    """Any other parameter would make our features differ from those of published work."""
    first, second = texture(64, 0), moved(texture(64, 0), np.full((64, 64, 2), 0.7, np.float32))
    for step in (0.5, 0.8):
        reference = cv2.optflow.createOptFlow_DualTVL1()
        reference.setScaleStep(step)
        np.testing.assert_array_equal(
            flow.tvl1(first, second, scale_step=step), reference.calc(first, second, None)
        )


@pytest.mark.parametrize('shift', [(1.5, 0.0), (0.0, -2.0), (-0.6, 0.8)])
def test_tvl1_finds_a_known_shift(shift):
    """Swapped frames or components would give the opposite or the transposed motion."""
    first = texture()
    found = flow.tvl1(first, moved(first, np.broadcast_to(np.float32(shift), (96, 96, 2))))
    assert found.shape == (96, 96, 2) and found.dtype == np.float32
    error = np.linalg.norm(found - shift, axis=-1)[8:-8, 8:-8]
    assert np.median(error) < 0.06


def test_tvl1_finds_a_local_bump():
    """Smoothing that is too strong would wash out motion of the size of a mouth corner."""
    y, x = np.mgrid[:96, :96].astype(np.float32)
    bell = np.exp(-((x - 48) ** 2 + (y - 48) ** 2) / (2 * 10**2))
    field = np.stack([1.5 * bell, -1.0 * bell], -1)
    first = texture()
    found = flow.tvl1(first, moved(first, field))
    assert np.corrcoef(found.ravel(), field.ravel())[0, 1] > 0.95


def test_features_are_u_v_and_strain():
    """Another channel order would train on one quantity and explain another."""
    first = texture(48)
    second = moved(first, linear_field([[0.02, 0], [0, 0]], 48).astype(np.float32))
    features = flow.flow_features(first, second)
    assert features.shape == (48, 48, 3) and features.dtype == np.float32
    np.testing.assert_array_equal(features[..., :2], flow.tvl1(first, second))
    np.testing.assert_array_equal(features[..., 2], flow.strain(features[..., :2]))


@pytest.mark.parametrize(
    'first, second, words',
    [
        (np.zeros((8, 8), np.float32), np.zeros((8, 8), np.uint8), 'first frame is float32'),
        (
            np.zeros((8, 8), np.uint8),
            np.zeros((8, 8, 3), np.uint8),
            'second frame is uint8[8, 8, 3]',
        ),
        (np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8), 'equal shapes'),
    ],
)
def test_tvl1_refuses_what_it_would_misread(first, second, words):
    """OpenCV scales float frames by 255 and fails on colour with a C++ message of several lines."""
    with pytest.raises(UserError) as error:
        flow.tvl1(first, second)
    assert words in str(error.value) and '\n' not in str(error.value)


def test_strain_refuses_a_field_without_two_components():
    """Features with strain appended would silently be strained again."""
    with pytest.raises(UserError, match='needs'):
        flow.strain(np.zeros((8, 8, 3)))


@pytest.mark.parametrize('method', ['farneback', 'dis'])
def test_other_methods_are_opencv_and_find_a_known_shift(method):
    """Other parameters, or swapped frames, would pass unseen where only the shape is looked at."""
    first = texture()
    second = moved(first, np.broadcast_to(np.float32((1.2, -0.7)), (96, 96, 2)))
    found = flow.estimate(first, second, method=method)
    if method == 'dis':
        reference = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(
            first, second, None
        )
    else:
        reference = cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    np.testing.assert_array_equal(found, reference)
    assert found.dtype == np.float32
    assert np.median(np.linalg.norm(found - (1.2, -0.7), axis=-1)[12:-12, 12:-12]) < 0.15


def test_every_method_measures_the_true_motion_of_drawn_faces():
    """Motion measured at half or twice its size would train a network on another quantity than its
    labels describe.
    """
    emotions, inside = ('disgust', 'happiness', 'surprise', 'others'), np.s_[20:-10, 20:-20]
    made = [
        clips.make(0, number, 0, name, clips.person(0, number))
        for number, name in enumerate(emotions, 1)
    ]
    truth = np.stack([clip.displacement[inside] for clip in made])
    for method in flow.METHODS:
        found = []
        for clip in made:
            onset, apex = clip.frames[[clip.onset - clip.first_frame, clip.apex - clip.first_frame]]
            found.append(flow.estimate(onset, apex, method=method)[inside])
        found = np.stack(found)
        slopes = [
            np.polyfit(truth[..., part].ravel(), found[..., part].ravel(), 1)[0] for part in (0, 1)
        ]
        error = np.linalg.norm(found - truth, axis=-1).mean()
        print(
            f'{method}: slope u {slopes[0]:.3f}, v {slopes[1]:.3f}, end-point error {error:.3f} px'
        )
        assert 0.8 < min(slopes) and max(slopes) < 1.2, (method, slopes)
        assert error < 0.3 * np.linalg.norm(truth, axis=-1).mean(), (method, error)


def test_the_meb_form_is_its_formula_with_scipy():
    """Another border, another scale or x along columns gives other numbers than that code."""
    u, v = field = np.random.default_rng(2).standard_normal((2, 9, 7)).astype(np.float32)
    (ux, vx), (uy, vy) = (
        [ndimage.sobel(part, axis=axis, mode='constant') for part in (u, v)] for axis in (0, 1)
    )
    expected = np.sqrt(ux**2 + vy**2 + 0.5 * (uy**2 + vx**2))
    np.testing.assert_allclose(
        flow.strain(field.transpose(1, 2, 0), form='meb'), expected, rtol=1e-5, atol=1e-5
    )
    turning = flow.strain(linear_field([[0, -0.1], [0.1, 0]]), form='meb')
    # the fault that the docstring names
    np.testing.assert_allclose(turning[1:-1, 1:-1], 0.8 * np.sqrt(2), rtol=1e-5)


def test_the_samer_form_equals_a_plain_loop():
    """The rescaling of u and v apart and the wrap-round make that form differ; rounding would
    change most bytes.
    """
    field = np.random.default_rng(3).standard_normal((6, 8, 2)).astype(np.float32)
    wide = np.zeros((6, 8, 2))
    for part in (0, 1):
        low, high = field[..., part].min(), field[..., part].max()
        wide[..., part] = 16 * (field[..., part] - low) * 256 / (high - low) - 128
    strain = np.zeros((6, 8))
    for i in range(6):
        for j in range(8):
            (ux, vx), (uy, vy) = wide[i, j] - wide[i, j - 1], wide[i, j] - wide[i - 1, j]
            strain[i, j] = np.sqrt(ux**2 + vy**2 + 2 * ((uy + vx) / 2) ** 2)
    stretched = (strain - strain.min()) / (strain.max() - strain.min()) * 255
    found = flow.strain(field, form='samer')
    assert found.dtype == np.float32 and set(np.unique(found)) <= set(range(256))
    assert (found <= stretched + 1e-2).all() and (stretched - 1 - 1e-2 <= found).all()
    assert (flow.strain(np.zeros((4, 4, 2)), form='samer') == 0).all()


def test_magnitude_is_the_length_of_a_vector():
    """A mean of squares, or u alone, would rank other frames first."""
    field = np.zeros((2, 3, 2)) + (3, -4)
    field[1, 2] = (0, 2)
    np.testing.assert_array_equal(flow.magnitude(field), [[5, 5, 5], [5, 5, 2]])


def test_the_samer_magnitude_by_hand():
    """The threshold counts from the mean of the stretched image, before anything is set to 0."""
    lengths = np.array([[0.0, 1.0, 2.0], [4.0, 5.0, 0.0]])
    field = np.stack([lengths, np.zeros((2, 3))], -1)
    # stretched: 0 51 102 / 204 255 0 with mean 102; 1.5 x 102 = 153
    found = flow.samer_magnitude(field)
    np.testing.assert_allclose(found, [[0, 0, 0], [204, 255, 0]], atol=1)
    assert found.dtype == np.uint8 and found.max() == 255
    assert (flow.samer_magnitude(np.ones((4, 4, 2))) == 0).all()
    # 0.75 x 102 = 76.5; a switch that still cut, or a threshold of the uncut mean alone, would
    # change the published input
    np.testing.assert_allclose(
        flow.samer_magnitude(field, threshold=0.75), [[0, 0, 102], [204, 255, 0]], atol=1
    )
    np.testing.assert_allclose(
        flow.samer_magnitude(field, threshold=0), [[0, 51, 102], [204, 255, 0]], atol=1
    )


def test_the_strongest_frame_is_the_one_moved_farthest():
    """An index into another list, or the last of equal frames, would name another apex."""
    onset = texture(48)
    frames = [
        moved(onset, np.broadcast_to(np.float32((shift, 0)), (48, 48, 2)))
        for shift in (0.3, 1.5, 0.8, 1.5)
    ]
    for method in flow.METHODS:
        assert flow.strongest(onset, iter(frames), method=method) == 1
    assert flow.strongest(onset, [onset, onset]) == 0
    with pytest.raises(UserError, match='no frame'):
        flow.strongest(onset, [])


def test_a_drifting_head_does_not_hide_the_steady_apex():
    """A head that moves on to the end of a clip moves every pixel, a corner of the mouth
    only some.
    """
    onset = texture(96)
    y, x = np.mgrid[:96, :96].astype(np.float32)
    bell = np.exp(-((x - 48) ** 2 + (y - 60) ** 2) / (2 * 9**2))[..., None]
    course = ((2, 0.5), (1, 1), (0, 1.5))
    frames = [moved(onset, np.float32(bell * (0, -peak) + (drift, 0))) for peak, drift in course]
    assert flow.strongest(onset, frames, method='dis') == 2
    assert flow.strongest(onset, frames, method='dis', steady=True) == 0


def drawn(person, head=1.0):
    """(frames from onset to offset, index of the apex) of a drawn clip; its head moves `head` times
    as far as usual.
    """
    subject = clips.person(3, person)
    style = subject.style
    style = style._replace(shift=head * style.shift, turn=head * style.turn)
    clip = clips.make(3, person, 0, 'surprise', subject._replace(style=style))
    frames = clip.frames[clip.onset - clip.first_frame : clip.offset - clip.first_frame + 1]
    return frames, clip.apex - clip.onset


def test_the_apex_of_drawn_clips_is_found_beside_a_moving_head():
    """A head that wanders, and flow guessed where skin is smooth, shifted estimates by a quarter of
    the clip, and releases without apexes were trained on them.
    """
    errors = []
    for person in range(1, 7):
        (onset, *others), apex = drawn(person, head=3)
        errors.append(abs(1 + flow.apex(onset, others) - apex))
    assert np.mean(errors) <= 2.5, errors


def test_an_apex_does_not_depend_on_threads_or_the_size_of_the_input():
    """A build of `samer` (224 pixels) or on another machine would take another frame as apex."""
    (onset, *others), _ = drawn(1)
    others = others[::4]
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        first = flow.apex(onset, others)
        cv2.setNumThreads(4)
        assert flow.apex(onset, others) == first
    finally:
        cv2.setNumThreads(threads)
    large = [cv2.resize(frame, (256, 256)) for frame in (onset, *others)]
    assert flow.apex(large[0], large[1:]) == first


def test_an_apex_needs_a_frame_and_is_the_first_of_equal_ones():
    """Frames without any texture, and none at all, end in numbers that name no frame."""
    blank = np.full((48, 48), 90, np.uint8)
    assert flow.apex(blank, [blank, blank]) == 0
    assert np.all(flow.texture(blank) == 1)
    with pytest.raises(UserError, match='no frame'):
        flow.apex(blank, [])


def test_frames_too_small_for_an_apex_are_named():
    """With weights that are all 0 below 16 pixels, NumPy would tell of a singular matrix."""
    small = texture(16)[:15]
    with pytest.raises(UserError, match=r'frames are \[15, 16\]; .* at least 16'):
        flow.apex(small, [small])


def test_without_head_removes_an_affine_field_only():
    """A turn or an approach of the head is affine; what is left is the face's."""
    plain = linear_field([[0.1, -0.2], [0.05, 0.3]], 12) + (1.5, -2)
    np.testing.assert_allclose(flow.without_head(plain), 0, atol=1e-5)
    bend = np.stack([np.zeros((12, 12)), (np.mgrid[:12, :12][1] - 5.5) ** 2], -1)
    np.testing.assert_allclose(flow.without_head(plain + bend), bend - bend.mean((0, 1)), atol=1e-4)


@pytest.mark.parametrize('shape, size', [((40, 60), 20), ((30, 20), 60), ((64, 64), 32)])
def test_resized_flow_still_points_to_the_same_place(shape, size):
    """Vectors left as they are would be too long by the ratio of the sizes, and by another one in u
    than in v.
    """
    height, width = shape
    field = np.zeros((height, width, 2), np.float32) + (6, 3)
    expected = np.zeros((size, size, 2)) + (6 * size / width, 3 * size / height)
    np.testing.assert_allclose(flow.resize_flow(field, size), expected, rtol=1e-6)


def test_resized_flow_is_the_mean_over_each_new_pixel():
    """Single samples would keep one vector in four and its noise."""
    field = np.random.default_rng(4).standard_normal((24, 36, 2)).astype(np.float32)
    expected = field.reshape(12, 2, 12, 3, 2).mean((1, 3)) * (12 / 36, 12 / 24)
    np.testing.assert_allclose(flow.resize_flow(field, 12), expected, rtol=1e-4, atol=1e-6)


def test_features_take_method_and_form():
    """A switch that does not reach the function it names would compare a thing with itself."""
    first, second = (
        texture(48),
        moved(texture(48), linear_field([[0.02, 0], [0, 0]], 48).astype(np.float32)),
    )
    found = flow.flow_features(first, second, method='farneback', form='meb')
    np.testing.assert_array_equal(found[..., :2], flow.farneback(first, second))
    np.testing.assert_array_equal(found[..., 2], flow.strain(found[..., :2], form='meb'))
    with pytest.raises(UserError, match="'brox'; known: tvl1, farneback, dis"):
        flow.flow_features(first, second, method='brox')
    with pytest.raises(UserError, match="'shreve'; known: tensor, meb, samer"):
        flow.flow_features(first, second, form='shreve')
    with pytest.raises(UserError, match='at least 16 pixels'):
        flow.dis(first[:8], second[:8])


def fields(count=3, size=24, seed=0):
    """(affine motion of each frame, a bump of 3 pixels' width in each frame) float32[T, size, size,
    2].
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    affine = sum(
        rng.normal(0, 3, (count, 1, 1, 2)) * part[None, ..., None]
        for part in (np.ones_like(x), x, y)
    )
    bump = np.exp(-((x - 0.7) ** 2 + (y - 0.6) ** 2) / 2 / 0.12**2)[None, ..., None] * rng.normal(
        0, 1, (count, 1, 1, 2)
    )
    return affine.astype(np.float32), bump.astype(np.float32)


def test_without_head_removes_what_the_head_does_and_nothing_else():
    """A head that moves by ten pixels, frame by frame its own way, must not stay, and the corner of
    a mouth not go.
    """
    affine, bump = fields()
    assert np.abs(affine).max() > 3 and np.abs(flow.without_head(affine)).max() < 1e-4
    left = flow.without_head(affine + bump)
    np.testing.assert_allclose(left, flow.without_head(bump), atol=1e-4)
    assert np.linalg.norm(left) > 0.8 * np.linalg.norm(bump) and left.dtype == np.float32
    np.testing.assert_allclose(flow.without_head(left), left, atol=1e-5)
    assert flow.without_head(affine.astype(np.float16)).dtype == np.float32


@pytest.mark.parametrize('shape', [(8, 8), (8, 8, 3), (4, 8, 8, 1)])
def test_without_head_takes_flow_alone(shape):
    """Of u, v and strain it would take an affine part from the strain as well, which says nothing
    about the head.
    """
    with pytest.raises(UserError, match='without_head: flow has shape .* needs'):
        flow.without_head(np.zeros(shape))
