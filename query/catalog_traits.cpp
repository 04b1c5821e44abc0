#include "query/catalog_traits.hpp"

#include "config/glob.hpp"
#include "query/confine.hpp"
#include "query/words.hpp"

#include <algorithm>
#include <utility>

namespace pgmemo::query {
namespace {

constexpr std::size_t kMaxSettings = 32; ///< asked of every session; what depends on others is not cached

void add_tree(const Tree& tree, std::vector<std::string>& settings)
{
    for (const auto& name : tree.settings)
        if (name.find('.') != std::string::npos)
            settings.push_back(name);
}

std::vector<std::string> settings_of(const Catalog::Impl& catalog)
{
    std::vector<std::string> settings;
    for (const auto& relation : catalog.relations) {
        if (relation.view)
            add_tree(*relation.view, settings);
        for (const auto* trees : {&relation.policies, &relation.on_read})
            for (const auto& tree : *trees)
                add_tree(tree, settings);
    }
    for (const auto& function : catalog.functions) {
        if (function.body)
            add_tree(*function.body, settings);
        if (function.source.find("current_setting") == std::string::npos)
            continue;
        for (const auto& facts : catalog.bodies.of(function)->statements)
            for (const auto& called : facts.functions)
                if (called.name.name == "current_setting" && called.first_argument.find('.') != std::string::npos)
                    settings.push_back(lower_setting(called.first_argument));
    }
    std::erase_if(settings, [](const std::string& name) {
        return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") != std::string::npos;
    });
    std::sort(settings.begin(), settings.end());
    settings.erase(std::unique(settings.begin(), settings.end()), settings.end());
    if (settings.size() > kMaxSettings)
        settings.resize(kMaxSettings);
    return settings;
}

std::vector<Oid> matching(const Catalog::Impl& catalog, const std::vector<std::string>& globs)
{
    std::vector<Oid> oids;
    for (const auto& relation : catalog.relations)
        if (relation.oid >= kFirstUserOid && std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
                return config::table_glob_matches(glob, relation.full_name());
            }))
            oids.push_back(relation.oid);
    return oids;
}

std::string signature_of(const Catalog::Impl& catalog, const Function& function)
{
    auto signature = function.name + '(';
    for (const auto argument : function.arguments) {
        if (signature.back() != '(')
            signature += ',';
        if (const auto* type = catalog.type(argument))
            signature += type->name;
    }
    return signature + ')';
}

} // namespace

void add_traits(Catalog::Impl& catalog, const config::Config& config)
{
    for (auto& function : catalog.functions)
        if (!function.is_user)
            function.verdict = judged(function.name, signature_of(catalog, function));
    for (auto& relation : catalog.relations)
        if (relation.oid >= kFirstUserOid && !relation.columns.empty())
            relation.tracked = find_tracked(catalog, relation, config.tracked_columns(relation.full_name()));
    if (!config.functions.empty())
        for (auto& function : catalog.functions)
            if (const auto* spec =
                    function.is_user ? config.function_spec(function.schema + '.' + function.name) : nullptr)
                function.vouched = Vouched{matching(catalog, spec->reads), matching(catalog, spec->writes)};
    catalog.settings = settings_of(catalog);
}

} // namespace pgmemo::query
