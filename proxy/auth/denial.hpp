#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace pgmemo::proxy::auth {

/// Why a login ends: what the other side is told, and what only the log says.
struct Denial {
    // Has a constructor because g++ 12.2 destroys an aggregate temporary in an awaited call twice.
    Denial(std::string_view code, std::string text, std::string more = {}, std::string log = {})
        : sqlstate(code)
        , message(std::move(text))
        , detail(std::move(more))
        , reason(std::move(log))
    {
    }
    std::string sqlstate;
    std::string message;
    std::string detail;
    std::string reason; ///< never sent: it may tell whether a user exists
};

} // namespace pgmemo::proxy::auth
