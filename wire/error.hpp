#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace pgmemo::wire {

/// Why a byte stream stopped making sense as PostgreSQL protocol 3.
enum class Errc {
    bad_length = 1, ///< a length word that cannot count itself, or counts more than a message may hold
    short_field,    ///< a field that runs past the end of its message
    left_over,      ///< bytes behind the last field of a message
};

const boost::system::error_category& wire_category() noexcept;
boost::system::error_code make_error_code(Errc) noexcept;

/// A T, or the error_code that says why not.
template <class T>
using Result = boost::system::result<T>;

} // namespace pgmemo::wire

template <>
struct boost::system::is_error_code_enum<pgmemo::wire::Errc> : std::true_type {
};
