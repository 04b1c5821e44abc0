#include "proxy/auth/saslprep.hpp"

#include <stringprep.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <vector>

namespace pgmemo::proxy::auth {
namespace {

struct Free {
    void operator()(void* memory) const noexcept { std::free(memory); }
};

/// The library's own tables, with the normalisation behind the checks: PostgreSQL judges what it was given, the RFC
/// what has become of it.
const std::vector<Stringprep_profile>& steps()
{
    static const auto made = [] {
        std::vector<Stringprep_profile> steps;
        const auto* end = stringprep_saslprep;
        while (end->operation != 0)
            ++end;
        std::copy(stringprep_saslprep, end + 1, std::back_inserter(steps)); // with the zero at its end
        std::stable_partition(steps.begin(), steps.end() - 1,
                              [](const auto& step) { return step.operation != STRINGPREP_NFKC; });
        return steps;
    }();
    return made;
}

} // namespace

std::string prepared_password(std::string_view password)
{
    std::string as_it_is{password};
    const bool is_ascii = std::all_of(password.begin(), password.end(), [](char c) { return c > 0; });
    if (is_ascii || password.find('\0') != std::string_view::npos)
        return as_it_is;
    std::size_t size = 0;
    const std::unique_ptr<std::uint32_t, Free> given{
        stringprep_utf8_to_ucs4(as_it_is.c_str(), static_cast<ssize_t>(as_it_is.size()), &size)};
    if (!given)
        return as_it_is;
    std::vector<std::uint32_t> text;
    std::size_t prepared_size = 0;
    int result = STRINGPREP_TOO_SMALL_BUFFER;
    // Normalisation makes 18 characters of one at most.
    for (auto room = size + 1; result == STRINGPREP_TOO_SMALL_BUFFER && room <= 36 * (size + 1); room *= 2) {
        text.assign(given.get(), given.get() + size);
        text.resize(room);
        prepared_size = size;
        result = stringprep_4i(text.data(), &prepared_size, room, STRINGPREP_NO_UNASSIGNED, steps().data());
    }
    if (result != STRINGPREP_OK || prepared_size == 0)
        return as_it_is;
    std::size_t bytes = 0;
    const std::unique_ptr<char, Free> utf8{
        stringprep_ucs4_to_utf8(text.data(), static_cast<ssize_t>(prepared_size), nullptr, &bytes)};
    return utf8 ? std::string{utf8.get(), bytes} : as_it_is;
}

} // namespace pgmemo::proxy::auth
