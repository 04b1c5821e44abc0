#include "wire/error.hpp"

#include <string>

namespace pgmemo::wire {
namespace {

// The destructor of Boost's base is protected, so nobody deletes by it; g++ 12 counts our own access as everybody's.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "postgresql-protocol"; }
    std::string message(int value) const override
    {
        switch (static_cast<Errc>(value)) {
        case Errc::bad_length:
            return "invalid message length";
        case Errc::short_field:
            return "a field runs past the end of its message";
        case Errc::left_over:
            return "bytes behind the last field of a message";
        }
        return "unknown protocol error";
    }
};
#pragma GCC diagnostic pop

} // namespace

const boost::system::error_category& wire_category() noexcept
{
    static const Category category;
    return category;
}

boost::system::error_code make_error_code(Errc value) noexcept
{
    return {static_cast<int>(value), wire_category()};
}

} // namespace pgmemo::wire
