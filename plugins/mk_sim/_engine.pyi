"""The engine in C; the same names as `engine_python`."""

from mk_sim.engine_python import Actor as Actor
from mk_sim.engine_python import Engine as Engine
from mk_sim.engine_python import Port as Port

SOURCE_HASH: str
