#pragma once

#include "main/options.hpp"

namespace pgmemo {

/// `pgmemo explain`: what the running proxy would do with the statements, on standard output. Throws
/// std::runtime_error with one sentence when the upstream cannot be asked.
Exit explain(const Options&);

} // namespace pgmemo
