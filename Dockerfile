# Untried: it was written where no Docker daemon runs. If it fails, please file an issue with what was printed.
#
#   docker build --build-arg USER_ID=$(id -u) -t mer_jax .
#   docker run --rm -v "$PWD/runs:/work/runs" mer_jax
#   docker run --rm -v "$PWD/runs:/work/runs" -v "$PWD/tfds:/work/tfds" -v /data/CASME2:/data:ro mer_jax \
#       --config=casme2_ststnet --config.data.manual_dir=/data
#
# With an NVIDIA GPU: --build-arg REQUIREMENTS=gpu, and `docker run --gpus all`.
# Make the folders runs and tfds before, so that they are yours.
FROM python:3.12-slim

# The user of the container owns what a run writes: give it your number, and no process is root.
ARG USER_ID=1000
RUN useradd --create-home --uid "$USER_ID" mer
WORKDIR /work
RUN mkdir runs tfds && chown mer /work runs tfds

# Before the code: a change of the code installs nothing again.
ARG REQUIREMENTS=
COPY requirements*.txt /opt/mer_jax/
RUN pip install --no-cache-dir -r /opt/mer_jax/requirements.txt \
        ${REQUIREMENTS:+-r /opt/mer_jax/requirements-$REQUIREMENTS.txt}
COPY . /opt/mer_jax
RUN pip install --no-cache-dir --no-deps /opt/mer_jax

USER mer
ENV MPLBACKEND=Agg TFDS_DATA_DIR=/work/tfds
ENTRYPOINT ["mer-jax"]
