#include "config/glob.hpp"

namespace pgmemo::config {

bool glob_matches(std::string_view glob, std::string_view text) noexcept
{
    // Only the last star is ever taken up again, so the work is at most glob × text and nothing recurses.
    std::size_t g = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_text = 0;
    while (t < text.size()) {
        if (g < glob.size() && glob[g] == '*') {
            star = g++;
            star_text = t;
        } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
            ++g;
            ++t;
        } else if (star != std::string_view::npos) {
            g = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (g < glob.size() && glob[g] == '*')
        ++g;
    return g == glob.size();
}

bool table_glob_matches(std::string_view glob, std::string_view table) noexcept
{
    if (glob.find('.') == std::string_view::npos) {
        if (const auto dot = table.find('.'); dot != std::string_view::npos)
            table.remove_prefix(dot + 1);
    }
    return glob_matches(glob, table);
}

} // namespace pgmemo::config
