#pragma once

#include "main/options.hpp"

namespace pgmemo {

/// Every problem on a line of standard error.
void report(const std::vector<config::Problem>&);

/// `pgmemo check FILE`: every problem on standard error, or one line that says that there is none.
Exit check(const Options&);

/// Builds every part, wires them, runs until drained. Throws proxy::CannotListen.
Exit run(const Options&);

} // namespace pgmemo
