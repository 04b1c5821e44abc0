#pragma once

#include "config/auth.hpp"
#include "config/reader.hpp"

#include <functional>
#include <string>

namespace pgmemo::config {

/// What stands at the key `auth`. `in_folder` places a path that the file names.
Auth read_auth(Reader&, const Field&, const std::function<std::string(std::string)>& in_folder);

} // namespace pgmemo::config
