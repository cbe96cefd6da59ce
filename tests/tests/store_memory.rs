//! The reference store does what every store must do.

use bluum_hooks_tests::conformance;
use bluum_hooks_tests::conformance::world::World;

conformance!(World::memory);
