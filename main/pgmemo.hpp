#pragma once

#include "main/options.hpp"

namespace pgmemo {

/// `pgmemo check FILE`: every problem on standard error, or one line that says that there is none.
Exit check(const Options&);

/// Builds every part, wires them, runs until drained. Throws proxy::CannotListen.
Exit run(const Options&);

} // namespace pgmemo
