#pragma once

#include <string_view>

namespace pgmemo::admin {

/// The page at `/`: admin/dashboard.html, whole. It needs nothing but /metrics of the server that it came from.
std::string_view dashboard() noexcept;

} // namespace pgmemo::admin
