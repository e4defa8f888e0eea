"""The published 28x28 optical-flow features of the MEGC2019 composite."""
