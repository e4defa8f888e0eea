"""Loads a data set as another project would: installed package, tfds.load, no jax. Run by
tfds_with_tensorflow.sh.
"""

import importlib.util
import sys
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

import tfds_builders


def main(repository, work):
    fake_raw = tests_of(repository)
    truth = fake_raw.write_precomputed_flow(work / 'raw')

    config = tfds.download.DownloadConfig(manual_dir=work / 'raw', try_download_gcs=False)
    kwargs = {'download_and_prepare_kwargs': {'download_config': config}}
    built = tfds.load('precomputed_flow', split='train', data_dir=work / 'by_tfds', **kwargs)
    check(built, truth)

    tfds_builders.prepare(
        'precomputed_flow', data_dir=work / 'by_prepare', manual_dir=work / 'raw', progress=False
    )
    check(tfds.load('precomputed_flow', split='train', data_dir=work / 'by_prepare'), truth)

    half = tfds.load(
        'precomputed_flow',
        split='train[:3]',
        data_dir=work / 'by_prepare',
        decoders=tfds.decode.PartialDecoding({'clip': True}),
    )
    assert half.cardinality() == 3 and set(half.element_spec) == {'clip'}, half
    source = tfds.data_source('precomputed_flow', split='train', data_dir=work / 'by_tfds')
    assert len(source) == len(truth), len(source)
    check_release(fake_raw.casme2.write(work / 'release'), work)
    check_packaged_texts()
    assert 'jax' not in sys.modules
    assert 'site-packages' in tfds_builders.__file__, 'the installed package must be tested'
    print(
        f'tfds.load works: TensorFlow {tf.__version__}, tensorflow-datasets {tfds.__version__}, '
        f'{len(truth)} clips'
    )


def tests_of(repository):
    """The package tests.support.fake_raw, without the repository's own packages on the path."""
    for name in ('tests', 'tests.support', 'tests.support.fake_raw'):
        path = Path(repository, *name.split('.'))
        spec = importlib.util.spec_from_file_location(
            name, path / '__init__.py', submodule_search_locations=[str(path)]
        )
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    importlib.import_module('tests.support.fake_raw.casme2')
    return sys.modules['tests.support.fake_raw']


def check_release(truth, work):
    """An official release, built by tfds.load itself and read as a tf.data.Dataset, landmarks and
    units included; the same with a setting, which is read again by each of TFDS's ways.
    """
    config = tfds.download.DownloadConfig(manual_dir=truth.folder, try_download_gcs=False)
    data = {'split': 'train', 'data_dir': work / 'release_data'}
    build = {'download_and_prepare_kwargs': {'download_config': config}}
    setting = {'builder_kwargs': {'config': 'flow,optical_flow=farneback'}}
    check_release_clips(truth, tfds.load('casme2', **data, **build))
    check_release_clips(truth, tfds.load('casme2', **data, **build, **setting))
    check_release_clips(truth, tfds.load('casme2', download=False, **data, **setting))
    builder = tfds.builder('casme2', data_dir=data['data_dir'], **setting['builder_kwargs'])
    assert builder.is_prepared() and 'farneback' in builder.data_dir, builder.data_dir
    for source in (
        tfds.data_source('casme2', **data),
        tfds.data_source('casme2', download=False, **data, **setting),
    ):
        first = source[0]
        assert len(source) == len(truth.clips)
        assert len(first['units']['number']) == len(first['units']['side'])


def check_release_clips(truth, dataset):
    """Every clip with its emotion, a class of the release's list, its onset and its arrays."""
    names = tfds.builder('casme2').info.features['emotion'].names
    assert dataset.element_spec['emotion'] == tf.TensorSpec((), tf.int64), dataset.element_spec
    examples = {example['clip'].decode(): example for example in tfds.as_numpy(dataset)}
    assert examples.keys() == truth.clips.keys(), sorted(examples)
    for clip, expected in truth.clips.items():
        example = examples[clip]
        assert names[example['emotion']] == expected.emotion, clip
        assert example['onset'] == expected.onset, clip
        assert example['flow'].shape == (128, 128, 3), clip
        assert example['landmarks'].shape == (3, 68, 2), clip


def check(dataset, truth):
    """Count, dtypes, labels and pixels of a tf.data.Dataset against what was written."""
    assert dataset.element_spec['flow'] == tf.TensorSpec((28, 28, 3), tf.uint8), (
        dataset.element_spec
    )
    emotions = tfds.builder('precomputed_flow').info.features['emotion'].names
    examples = {example['clip'].decode(): example for example in tfds.as_numpy(dataset)}
    assert examples.keys() == truth.keys(), sorted(examples)
    for clip, (subject, emotion, image) in truth.items():
        example = examples[clip]
        assert example['subject'].decode() == subject, clip
        assert emotions[example['emotion']] == emotion, clip
        assert (example['flow'] == image).all(), clip
        assert (example['onset'], example['fps'], bool(example['action_units_known'])) == (
            -1,
            0,
            False,
        ), clip


def check_packaged_texts():
    """README, citation and tags travel inside the wheel and reach the DatasetInfo."""
    for name, cls in tfds_builders.BUILDERS.items():
        metadata = cls.get_metadata()
        assert metadata.description and metadata.citation is not None and metadata.tags, name
        assert set(metadata.tags) <= set(tfds.core.dataset_metadata.valid_tags()), (
            name,
            metadata.tags,
        )


if __name__ == '__main__':
    main(sys.argv[1], Path(sys.argv[2]))
