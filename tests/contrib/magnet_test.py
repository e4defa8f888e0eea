"""MagNet: the network against PyTorch, published weights, made-up motion, training that survives a
kill, and use without jax.
"""

import dataclasses
import functools
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from contrib.magnet import __main__ as command
from contrib.magnet import clips, network, training
from contrib.magnet.network import MagNet
from mer_jax.errors import UserError
from mer_jax.preprocess import magnet as inference
from mer_jax.training import checkpoint
from tests.support.compiling import quickly, unoptimised
from tests.support.messages import mentions

ROOT = Path(__file__).parents[2]
# as of --quick, so that the test of the command needs no program of its own
SETTINGS = training.Settings(
    seed=3, batch_size=1, size=16, learning_rate=1e-3, weight=1.0, noise=0.3
)


train = partial(training.train, checkpoint_seconds=0)


def told(function, *args, **keywords):
    with pytest.raises(UserError) as error:
        function(*args, **keywords)
    assert '\n' not in str(error.value)
    return str(error.value)


def drawn_weights(edition='released', seed=0):
    """Weights large enough that every layer shows in the output, small enough that it is not cut at
    1.
    """
    draw = np.random.default_rng(seed)
    return {
        name: (
            draw.standard_normal(shape) * (0.9 / np.sqrt(np.prod(shape[-4:-1])))
            if name.endswith('kernel')
            else draw.uniform(-0.05, 0.05, shape)
        ).astype(np.float32)
        * (0.5 if 'block' in name else 1)
        for name, shape in inference.weight_shapes(edition).items()
    }


def frames(height=20, width=24, seed=1):
    draw = np.random.default_rng(seed)
    smooth = [
        cv2.GaussianBlur(draw.uniform(-2, 2, (height, width, 3)), (5, 5), 1.5) for _ in range(2)
    ]
    return [np.clip(x, -1, 1).astype(np.float32) for x in (smooth[0], smooth[0] + 0.2 * smooth[1])]


def tree(tensors):
    return training.unflatten_dict(tensors, sep='/')


@functools.cache
def compiled(edition):
    """One program for all tests with frames of one size: compiling is what takes their time."""
    return quickly(MagNet(edition).apply)


def flax_output(edition, tensors, a, b, alpha):
    return np.asarray(
        compiled(edition)({'params': tree(tensors)}, a[None], b[None], jnp.full(1, alpha))
    )[0]


def torch_output(tensors, edition, a, b, alpha):
    """The layer table of the paper's code written with PyTorch's own convolution and padding."""
    torch = pytest.importorskip('torch')
    F, port = torch.nn.functional, edition == 'port'

    def conv(x, name, i=None, stride=1):
        kernel = tensors[f'{name}/kernel'] if i is None else tensors[f'{name}/kernel'][i]
        bias = (
            (tensors[f'{name}/bias'] if i is None else tensors[f'{name}/bias'][i]) if port else None
        )
        half = kernel.shape[0] // 2
        x = (
            F.pad(x, (0, 1, 0, 1))
            if stride == 2 and not port
            else F.pad(x, (half,) * 4, mode='reflect')
        )
        kernel = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        return F.conv2d(x, kernel, None if bias is None else torch.from_numpy(bias), stride)

    def blocks(x, name, count):
        for i in range(count):
            x = x + conv(torch.relu(conv(x, f'{name}/conv1', i)), f'{name}/conv2', i)
        return x

    def encode(x):
        x = torch.relu(conv(x, 'encoder/conv1'))
        x = blocks(torch.relu(conv(x, 'encoder/conv2', stride=2)), 'encoder/block', 3)
        texture = blocks(
            torch.relu(conv(x, 'encoder/texture_conv', stride=2)), 'encoder/texture_block', 2
        )
        return texture, blocks(
            torch.relu(conv(x, 'encoder/shape_conv')) if port else x, 'encoder/shape_block', 2
        )

    up = partial(F.interpolate, scale_factor=2, mode='nearest')
    (_, shape_a), (texture, shape_b) = (
        encode(torch.from_numpy(x.transpose(2, 0, 1)[None].copy())) for x in (a, b)
    )
    change = torch.relu(conv(shape_b - shape_a, 'manipulator/conv1')) * (
        alpha if port else alpha - 1
    )
    shape = shape_b + blocks(conv(change, 'manipulator/conv2'), 'manipulator/block', 1)
    x = torch.cat([torch.relu(conv(up(texture), 'decoder/texture_conv')), shape], 1)
    x = up(blocks(x, 'decoder/block', 9))
    x = torch.relu(conv(x, 'decoder/up_conv')) if port else x
    x = conv(torch.relu(conv(x, 'decoder/conv1')), 'decoder/conv2')
    return x.clamp(-1, 1)[0].numpy().transpose(1, 2, 0)


def test_the_released_network_has_918928_parameters():
    """Another count means another network, into which published weights cannot go."""
    image = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
    for edition, count in (('released', 918_928), ('port', 966_979)):
        params = jax.eval_shape(MagNet(edition).init, jax.random.key(0), image, image, jnp.ones(1))[
            'params'
        ]
        shapes = {
            '/'.join(k.key for k in path): leaf.shape
            for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        }
        assert shapes == inference.weight_shapes(edition)
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


@pytest.mark.parametrize('edition', ['released', 'port'])
def test_the_network_equals_pytorch_and_numpy(edition):
    """A swapped layer, border or order of channels shows nowhere else: the output would only look
    worse.
    """
    tensors, (a, b) = drawn_weights(edition), frames()
    got = flax_output(edition, tensors, a, b, 6.0)
    assert 0.05 < got.std() and np.mean(np.abs(got) == 1) < 0.2
    np.testing.assert_allclose(got, torch_output(tensors, edition, a, b, 6.0), atol=1e-4)
    np.testing.assert_allclose(got, inference.predict(tensors, a, b, 6.0), atol=1e-4)


def test_alpha_1_is_no_change_of_the_shape_code():
    """The authors multiply by alpha - 1; multiplying by alpha would magnify twice where nobody
    asked for it.
    """
    params, draw = {'params': tree(drawn_weights())}, np.random.default_rng(0)
    a, b = (jnp.asarray(draw.standard_normal((1, 8, 8, 32)), jnp.float32) for _ in range(2))
    manipulate = quickly(
        partial(MagNet(lowering='native').apply, params, a, b, method='manipulate')
    )
    np.testing.assert_array_equal(manipulate(jnp.ones(1)), b)
    assert np.abs(manipulate(jnp.full(1, 2.0)) - b).max() > 0.01


def test_sides_that_do_not_fit_are_told():
    """Texture and shape codes of such sides cannot be joined: XLA would raise a page."""
    image = jnp.zeros((1, 10, 12, 3))
    assert 'got 10x12' in told(MagNet().init, jax.random.key(0), image, image, jnp.ones(1))


def published(edition):
    """(our weights, the same as the published file names and lays them out)."""
    tensors, out = drawn_weights(edition), {}
    name_of, order = network.tensorflow_name, (0, 1, 2, 3)
    if edition == 'port':
        name_of, order = network.torch_name, (3, 2, 0, 1)
    for name, value in tensors.items():
        for i, one in enumerate(value if 'block' in name else [value]):
            out[name_of(name, i)] = np.ascontiguousarray(
                one.transpose(order) if one.ndim == 4 else one
            )
    return tensors, out


def test_weights_of_the_pytorch_port_are_read(tmp_path):
    """Its checkpoint holds the optimiser too, and 'module.' before every name where several GPUs
    trained it.
    """
    torch = pytest.importorskip('torch')
    tensors, theirs = published('port')
    for name, shape in {  # as they stand in that repository's module.py
        'encoder.res_encoder.conv1.weight': (16, 3, 7, 7),
        'encoder.res_encoder.residual.2.conv2.bias': (32,),
        'encoder.conv_sha.weight': (32, 32, 3, 3),
        'encoder.texture_resblk.1.conv1.weight': (32, 32, 3, 3),
        'res_manipulator.conv1.weight': (32, 32, 7, 7),
        'res_manipulator.residual.0.conv1.bias': (32,),
        'decoder.conv_tex_aft_upsample.weight': (32, 32, 3, 3),
        'decoder.res_decoder.conv_up_sample.weight': (64, 64, 3, 3),
        'decoder.res_decoder.residual.8.conv2.weight': (64, 64, 3, 3),
        'decoder.res_decoder.conv2.weight': (3, 32, 7, 7),
    }.items():
        assert theirs[name].shape == shape
    state = {f'module.{name}': torch.from_numpy(value) for name, value in theirs.items()}
    torch.save(
        {
            'epoch': 50,
            'model_state_dict': state,
            'optimizer_state_dict': {'state': {}, 'param_groups': []},
            'val_loss': 0.1,
        },
        tmp_path / 'epoch50.tar',
    )
    jax.tree.map(
        np.testing.assert_array_equal, network.published(tmp_path / 'epoch50.tar'), tensors
    )


def test_variables_of_the_authors_code_are_read(tmp_path):
    """Their checkpoint is the only public one of the released network; its names come from the
    code's variable scopes.
    """
    tensors, theirs = published('released')
    for name in (
        'encoder/enc_conv1_c',
        'encoder/encoder_resblk2_c1',
        'encoder/texture_enc_c1',
        'encoder/shape_enc_1_c2',
        'manipulator/mani_conv0c',
        'manipulator/mani_resblk0_c2',
        'decoder/texture_upsample',
        'decoder/decoder_resblk8_c2',
        'decoder/pred_conv',
    ):
        assert f'ynet_3frames/{name}/Conv/weights' in theirs
    save_file(theirs, tmp_path / 'authors.safetensors')
    jax.tree.map(
        np.testing.assert_array_equal, network.published(tmp_path / 'authors.safetensors'), tensors
    )


def test_weights_of_another_network_are_refused(tmp_path):
    """A network that differs by one layer would load in part and magnify noise."""
    torch = pytest.importorskip('torch')
    other = {
        'encoder.cba_1.conv2d.weight': torch.zeros(16, 3, 7, 7),
        'manipulator.g.conv2d.weight': torch.zeros(32, 32, 3, 3),
    }
    torch.save({'state_dict': other['encoder.cba_1.conv2d.weight']}, tmp_path / 'nested.pth')
    torch.save(other, tmp_path / 'other.pth')
    (tmp_path / 'broken.tar').write_bytes(b'no weights')
    assert mentions(
        told(network.published, tmp_path / 'other.pth'),
        'other.pth ... encoder.res_encoder.conv1.weight',
    )
    assert 'broken.tar' in told(network.published, tmp_path / 'broken.tar')
    assert 'gone.tar' in told(network.published, tmp_path / 'gone.tar')
    _, theirs = published('port')
    theirs['res_manipulator.conv1.weight'] = theirs['res_manipulator.conv1.weight'][..., 2:5, 2:5]
    assert mentions(
        told(network.convert, theirs, source='w'),
        'res_manipulator.conv1.weight ... [32, 32, 3, 3] ... [32, 32, 7, 7]',
    )


def test_a_four_tuple_shows_the_motion_it_claims():
    """B must lie `motion` from A and Y alpha times as far, or the network learns another
    magnification.
    """
    size, made = (
        64,
        quickly(partial(clips.scene, size=64, least=4.0, most=4.0))(jax.random.key(5)),
    )
    # the whole picture as one
    made = made._replace(motion=jnp.tile(jnp.array([[0.5, -0.25]]), (len(made.motion), 1)))
    render = quickly(partial(clips.render, size=size))
    a, b, y = (np.asarray(render(made, scale)) for scale in (0.0, 1.0, 4.0))
    np.testing.assert_allclose(y[:-1, 2:], a[1:, :-2], atol=1e-3)  # two pixels to the right, one up
    _, found = cv2.findTransformECC(
        a.mean(-1), b.mean(-1), np.eye(2, 3, dtype=np.float32), cv2.MOTION_TRANSLATION
    )
    np.testing.assert_allclose(found[:, 2], (0.5, -0.25), atol=0.05)


def test_four_tuples_derive_from_seed_and_index_and_keep_the_limits():
    """A resumed training draws the same examples again; and motion beyond the paper's limits cannot
    be learnt.
    """
    size, keys = 32, jax.vmap(partial(clips.tuple_key, 7, 1))(jnp.arange(64))
    made = quickly(jax.vmap(partial(clips.scene, size=size)))(keys)
    length = np.linalg.norm(made.motion, axis=-1)
    assert (
        length.max() <= 10 * size / 384
        and (length * np.asarray(made.alpha)[:, None]).max() <= 30 * size / 384 + 1e-5
    )
    assert 0.05 < np.mean(length == 0) < 0.5 and made.alpha.min() >= 1 and made.alpha.max() <= 100
    draw = quickly(jax.vmap(partial(clips.four_tuple, size=size, noise=0.0)))
    a, b, c, y, _ = first = draw(keys[:4])
    jax.tree.map(np.testing.assert_array_equal, first, draw(keys[:4]))
    levels = (np.stack([a, b, c, y]) + 1) * 127.5
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
    assert levels.min() >= 0 and levels.max() <= 255 and not np.array_equal(a[0], a[1])


@unoptimised()
def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    """Hours of training must not be lost, and a resumed network must be the one that the seed
    stands for. The stop is as a kill between the last log and its checkpoint; end_to_end_test
    kills a process.
    """
    steps = 5

    def stopping(manager, step, state, save=checkpoint.save):
        if step > 1:
            raise KeyboardInterrupt
        save(manager, step, state)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, 'save', stopping)
        with pytest.raises(KeyboardInterrupt):
            train(SETTINGS, steps=steps, folder=tmp_path / 'a')
    assert checkpoint.newest(tmp_path / 'a' / 'checkpoints') == 1
    resumed = train(SETTINGS, steps=steps, folder=tmp_path / 'a')
    straight = training.train(SETTINGS, steps=steps, folder=tmp_path / 'b', checkpoint_seconds=600)
    assert (tmp_path / 'a' / 'magnet.safetensors').read_bytes() == (
        tmp_path / 'b' / 'magnet.safetensors'
    ).read_bytes()
    assert resumed == straight
    written = [
        json.loads(line)['step']
        for line in (tmp_path / 'a' / 'metrics.jsonl').read_text().splitlines()
    ]
    assert written == list(range(1, steps + 1))
    assert cv2.imread(str(tmp_path / 'a' / 'held_out.png')).shape == (6 * 16, 4 * 16, 3)
    params = training.load_weights(tmp_path / 'a' / 'magnet.safetensors')
    assert set(network.flat(params)) == set(inference.weight_shapes('released'))
    other = dataclasses.replace(SETTINGS, seed=4)
    assert 'seed was 3, is 4' in told(train, other, steps=steps, folder=tmp_path / 'a')
    assert 'trained to step' in told(train, SETTINGS, steps=1, folder=tmp_path / 'a')


@unoptimised()
def test_the_command_trains_and_tells_mistakes(tmp_path, capsys):
    """The one command of the README; a mistake must cost a line, not a page."""
    flags = ['--quick', '--steps=2', '--batch_size=1', '--seed=3', '--learning_rate=1e-3']
    assert command.main([*flags, f'--workdir={tmp_path}/run']) == 0
    assert (tmp_path / 'run' / 'magnet.safetensors').exists()
    assert 'magnet.safetensors' in capsys.readouterr().out
    assert command.main(['--noise=11', f'--workdir={tmp_path}/other']) == 2
    assert mentions(capsys.readouterr().err, '--noise ... 11.0 ... 10.0')
    assert not (tmp_path / 'other').exists()


def test_a_size_that_does_not_fit_is_told(tmp_path):
    """It would fail in the compiler, minutes later."""
    assert 'steps is 0' in told(train, SETTINGS, steps=0, folder=tmp_path)
    odd = dataclasses.replace(SETTINGS, size=30)
    assert 'size is 30' in told(train, odd, steps=1, folder=tmp_path)


class Plain:
    """A network whose codes are channels of the image, so that the loss can be worked out
    by hand.
    """

    def apply(self, _, *values, method):
        encode = lambda x: (2 * x[..., :1], 3 * x[..., 1:2])  # noqa: E731
        return {
            'encode': encode,
            'manipulate': lambda a, b, alpha: b + alpha[:, None, None, None] * (b - a),
            'decode': lambda texture, shape: jnp.concatenate([texture, shape, shape], -1),
        }[method](*values)


def test_the_loss_is_that_of_the_authors(monkeypatch):
    """Texture of C against A, shape of C against B: swapped, the codes would learn not to part
    texture from motion.
    """
    monkeypatch.setattr(training, 'MagNet', Plain)
    a, b, c, y = np.random.default_rng(0).uniform(-1, 1, (4, 2, 8, 8, 3))
    out = np.stack([2 * b[..., 0], *2 * [3 * b[..., 1] + 5 * (3 * b[..., 1] - 3 * a[..., 1])]], -1)
    picture, texture = np.abs(out - y).mean(), 2 * np.abs(c - a)[..., 0].mean()
    shape = 3 * np.abs(c - b)[..., 1].mean()
    total, parts = training.loss({}, *map(jnp.asarray, (a, b, c, y)), jnp.full(2, 5.0), weight=0.1)
    np.testing.assert_allclose(total, picture + 0.1 * (texture + shape), rtol=1e-5)
    np.testing.assert_allclose(
        [parts[name] for name in ('picture', 'texture', 'shape')],
        [picture, texture, shape],
        rtol=1e-5,
    )


def test_frames_are_magnified_without_jax(tmp_path):
    """Data sets are built where jax is not installed; any frame size must come back as it
    went in.
    """
    tensors, draw = drawn_weights(), np.random.default_rng(2)
    save_file(tensors, tmp_path / 'w.safetensors')
    onset, apex = (draw.integers(0, 256, (17, 22)).astype(np.uint8) for _ in range(2))
    got = inference.magnify(onset, apex, alpha=6.0, weights=tmp_path / 'w.safetensors')
    a, b = (
        np.pad(x, ((0, 3), (0, 2)), mode='reflect')[..., None].repeat(3, 2) / np.float32(127.5) - 1
        for x in (onset, apex)
    )
    expected = flax_output('released', tensors, a, b, 6.0)[:17, :22] @ np.array(
        [0.299, 0.587, 0.114]
    )
    assert got.dtype == np.uint8 and got.shape == onset.shape
    np.testing.assert_allclose(got, (expected + 1) * 127.5, atol=0.51)
    code = 'import sys, mer_jax.preprocess.magnet; sys.exit("jax" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_weights_and_frames_that_do_not_fit_are_told(tmp_path):
    """Each mistake is one line, before a data set has been half built."""
    tensors, frame = drawn_weights(), np.zeros((16, 16), np.uint8)
    magnify = partial(inference.magnify, frame, frame, alpha=6.0)
    assert 'there is no such MagNet weights file' in told(
        magnify, weights=tmp_path / 'gone.safetensors'
    )
    (tmp_path / 'text.safetensors').write_text('no weights')
    assert 'text.safetensors cannot be read' in told(magnify, weights=tmp_path / 'text.safetensors')
    save_file(
        {**tensors, 'decoder/conv2/kernel': tensors['decoder/conv1/kernel']},
        tmp_path / 'w.safetensors',
    )
    assert 'layer decoder/conv2/kernel has shape [3, 3, 64, 32], needed [7, 7, 32, 3]' in told(
        magnify, weights=tmp_path / 'w.safetensors'
    )
    assert 'alpha is 0.5' in told(inference.magnify, frame, frame, alpha=0.5, weights='w')
    assert 'needs equal shapes' in told(inference.magnify, frame, frame[:8], alpha=6.0, weights='w')
    assert 'apex frame is float64' in told(
        inference.magnify, frame, frame / 2, alpha=6.0, weights='w'
    )
