/* Queries and statements. */
#include "query/parse_walk.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static pgm_cte* push_cte(reading* r, const CommonTableExpr* expr)
{
    pgm_cte* frame = palloc(sizeof *frame);
    frame->name = expr->ctename;
    frame->outer = r->ctes;
    r->ctes = frame;
    return frame;
}

/* A CTE sees those before it; under RECURSIVE all see all. The caller restores `ctes`. */
static void walk_with(reading* r, const WithClause* with)
{
    if (with == NULL)
        return;
    for (int i = 0; i < list_length(with->ctes); ++i) {
        const CommonTableExpr* expr = list_nth(with->ctes, i);
        for (const char* c = expr->ctename; *c != '\0'; ++c)
            if ((unsigned char)*c >= 0x80) /* folded to lower case by rules of the server's encoding */
                pgm_mark(r, PGM_MARK_UNKNOWN);
        if (with->recursive)
            push_cte(r, expr);
    }
    for (int i = 0; i < list_length(with->ctes); ++i) {
        const CommonTableExpr* expr = list_nth(with->ctes, i);
        if (expr->search_clause != NULL)
            pgm_emit_output_name(r, expr->search_clause->search_seq_column);
        if (expr->cycle_clause != NULL) { /* rows are compared with those on the path, the mark with its default */
            pgm_emit_operator_name(r, "=");
            pgm_emit_operator_name(r, "<>");
            pgm_emit_output_name(r, expr->cycle_clause->cycle_mark_column);
            pgm_emit_output_name(r, expr->cycle_clause->cycle_path_column);
            pgm_walk(r, expr->cycle_clause->cycle_mark_value);
            pgm_walk(r, expr->cycle_clause->cycle_mark_default);
        }
        for (int k = 0; k < list_length(expr->aliascolnames); ++k)
            pgm_emit_output_name(r, pgm_string_at(expr->aliascolnames, k));
        pgm_walk_query(r, expr->ctequery);
        if (!with->recursive)
            push_cte(r, expr);
    }
}

/* Whether what holds of the rows of the result may as well be asked of the rows that it is made of. */
static bool is_transparent(const SelectStmt* select)
{
    if (select->groupClause != NIL || select->havingClause != NULL || select->distinctClause != NIL ||
        select->windowClause != NIL || select->limitCount != NULL || select->limitOffset != NULL ||
        select->lockingClause != NIL || select->fromClause == NIL)
        return false;
    for (int i = 0; i < list_length(select->targetList); ++i) {
        const ResTarget* target = list_nth(select->targetList, i);
        /* any expression may be an aggregate or yield several rows */
        if (target->val == NULL || !(IsA(target->val, ColumnRef) || IsA(target->val, A_Const)))
            return false;
    }
    return true;
}

/* Whether each row of the result is made of one row of its one relation, unless there is an aggregate. */
static bool keeps_rows(const SelectStmt* select)
{
    return select->groupClause == NIL && select->havingClause == NULL && list_length(select->fromClause) == 1 &&
           IsA(linitial(select->fromClause), RangeVar);
}

/* A query of its own: the caller restores `level`. */
static void enter_level(reading* r, const SelectStmt* select)
{
    r->level = ++r->levels;
    const int code = select == NULL ? 0 : (is_transparent(select) ? 1 : 0) | (keeps_rows(select) ? 2 : 0);
    pgm_emit(r, (pgm_fact){.kind = PGM_LEVEL, .level = r->level, .code = code});
}

/* From here on the columns of these items are meant by their names. */
static void see(reading* r, items all)
{
    r->visible_from = all.from;
    r->visible_to = all.to;
}

static void walk_select(reading* r, const SelectStmt* select)
{
    if (select->intoClause != NULL) {
        const RangeVar* into = select->intoClause->rel;
        pgm_mark(r, into != NULL && into->relpersistence == 't' ? PGM_MARK_DDL_TEMPORARY : PGM_MARK_DDL);
    }
    if (select->lockingClause != NIL)
        pgm_mark(r, PGM_MARK_ROW_LOCK);
    items all = {.from = r->items, .mid = r->items};
    pgm_walk_list(r, select->fromClause);
    all.to = r->items;
    see(r, all);
    pgm_emit_outputs(r, select);
    pgm_confine_by_where(r, select->whereClause, all);
    pgm_walk_list(r, select->distinctClause);
    pgm_walk_list(r, select->targetList);
    pgm_walk(r, select->whereClause);
    pgm_walk_list(r, select->groupClause);
    pgm_walk(r, select->havingClause);
    pgm_walk_list(r, select->windowClause);
    pgm_walk_list(r, select->valuesLists);
    pgm_walk_list(r, select->sortClause);
    pgm_walk(r, select->limitOffset);
    pgm_walk(r, select->limitCount);
    pgm_walk(r, select->larg);
    pgm_walk(r, select->rarg);
}

static void walk_insert(reading* r, const InsertStmt* insert)
{
    const OnConflictClause* conflict = insert->onConflictClause;
    const bool updates = conflict != NULL && conflict->action == ONCONFLICT_UPDATE;
    const int item = pgm_emit_relation(r, insert->relation, updates ? PGM_INSERT | PGM_UPDATE : PGM_INSERT);
    pgm_emit_inserted(r, insert, item);
    pgm_walk_list(r, insert->cols);
    pgm_walk(r, insert->selectStmt);
    if (conflict != NULL) {
        if (conflict->infer != NULL) {
            pgm_walk_list(r, conflict->infer->indexElems);
            pgm_walk(r, conflict->infer->whereClause);
        }
        pgm_walk_list(r, conflict->targetList);
        pgm_walk(r, conflict->whereClause);
    }
    pgm_walk_list(r, insert->returningList);
}

static void walk_update(reading* r, const UpdateStmt* update)
{
    items all = {.from = r->items, .mid = r->items};
    const int item = pgm_emit_relation(r, update->relation, PGM_UPDATE);
    pgm_emit_assigned(r, update->targetList, item, false);
    pgm_walk_list(r, update->targetList);
    pgm_walk_list(r, update->fromClause);
    all.to = r->items;
    see(r, all);
    pgm_confine_by_where(r, update->whereClause, all);
    pgm_walk(r, update->whereClause);
    pgm_walk_list(r, update->returningList);
}

static void walk_delete(reading* r, const DeleteStmt* delete)
{
    items all = {.from = r->items, .mid = r->items};
    pgm_emit_relation(r, delete->relation, PGM_DELETE);
    pgm_walk_list(r, delete->usingClause);
    all.to = r->items;
    see(r, all);
    pgm_confine_by_where(r, delete->whereClause, all);
    pgm_walk(r, delete->whereClause);
    pgm_walk_list(r, delete->returningList);
}

static void walk_merge(reading* r, const MergeStmt* merge)
{
    int use = 0;
    for (int i = 0; i < list_length(merge->mergeWhenClauses); ++i) {
        const MergeWhenClause* when = list_nth(merge->mergeWhenClauses, i);
        use |= when->commandType == CMD_INSERT   ? PGM_INSERT
               : when->commandType == CMD_UPDATE ? PGM_UPDATE
               : when->commandType == CMD_DELETE ? PGM_DELETE
                                                 : 0;
    }
    items all = {.from = r->items, .mid = r->items};
    const int item = pgm_emit_relation(r, merge->relation, use != 0 ? use : PGM_UPDATE);
    pgm_walk(r, merge->sourceRelation);
    all.to = r->items;
    pgm_confine_by_where(r, merge->joinCondition, all); /* whatever is updated or deleted satisfies it */
    if ((use & PGM_INSERT) != 0)
        pgm_emit(r, (pgm_fact){.kind = PGM_INSERTED, .item = item, .code = 1});
    for (int i = 0; i < list_length(merge->mergeWhenClauses); ++i) {
        const MergeWhenClause* when = list_nth(merge->mergeWhenClauses, i);
        if (when->commandType == CMD_UPDATE)
            pgm_emit_assigned(r, when->targetList, item, false);
        pgm_walk(r, when->condition);
        pgm_walk_list(r, when->targetList);
        pgm_walk_list(r, when->values);
    }
    pgm_walk(r, merge->joinCondition);
}

/* A SELECT or a data-modifying statement, wherever it stands: restores what was in scope before. */
void pgm_walk_query(reading* r, const Node* node)
{
    if (node == NULL || r->too_deep)
        return;
    if (r->depth >= pgm_max_depth) {
        r->too_deep = true;
        return;
    }
    ++r->depth;
    const pgm_cte* const outer = r->ctes;
    const int outer_level = r->level;
    const items outer_visible = {.from = r->visible_from, .to = r->visible_to};
    r->visible_from = r->visible_to = 0; /* in WITH and FROM */
    switch (nodeTag(node)) {
    case T_SelectStmt: {
        const SelectStmt* select = (const SelectStmt*)node;
        walk_with(r, select->withClause);
        enter_level(r, select);
        walk_select(r, select);
        break;
    }
    case T_InsertStmt:
        walk_with(r, ((const InsertStmt*)node)->withClause);
        enter_level(r, NULL);
        walk_insert(r, (const InsertStmt*)node);
        break;
    case T_UpdateStmt:
        walk_with(r, ((const UpdateStmt*)node)->withClause);
        enter_level(r, NULL);
        walk_update(r, (const UpdateStmt*)node);
        break;
    case T_DeleteStmt:
        walk_with(r, ((const DeleteStmt*)node)->withClause);
        enter_level(r, NULL);
        walk_delete(r, (const DeleteStmt*)node);
        break;
    case T_MergeStmt:
        walk_with(r, ((const MergeStmt*)node)->withClause);
        enter_level(r, NULL);
        walk_merge(r, (const MergeStmt*)node);
        break;
    default:
        pgm_mark(r, PGM_MARK_UNKNOWN);
    }
    r->ctes = outer;
    r->level = outer_level;
    see(r, outer_visible);
    --r->depth;
}

/* ---- statements ---- */

static void begin(reading* r, pgm_statement code)
{
    pgm_emit(r, (pgm_fact){.kind = PGM_STATEMENT, .code = code});
}

static bool is_temporary(const RangeVar* relation)
{
    return relation != NULL && relation->relpersistence == 't';
}

static bool is_constant(const Node* node, const char* text, int number)
{
    if (node == NULL || !IsA(node, A_Const) || ((const A_Const*)node)->isnull)
        return false;
    const A_Const* constant = (const A_Const*)node;
    if (text != NULL)
        return nodeTag(&constant->val.node) == T_String && strcmp(constant->val.sval.sval, text) == 0;
    return nodeTag(&constant->val.node) == T_Integer && constant->val.ival.ival == number;
}

static bool begins_plainly(const List* options)
{
    for (int i = 0; i < list_length(options); ++i) {
        const DefElem* option = list_nth(options, i);
        if (strcmp(option->defname, "transaction_isolation") == 0 && is_constant(option->arg, "read committed", 0))
            continue;
        if (strcmp(option->defname, "transaction_read_only") == 0 && is_constant(option->arg, NULL, 0))
            continue;
        return false;
    }
    return true;
}

static pgm_statement transaction_kind(const TransactionStmt* stmt)
{
    switch (stmt->kind) {
    case TRANS_STMT_BEGIN:
        return begins_plainly(stmt->options) ? PGM_BEGIN : PGM_BEGIN_OTHER;
    case TRANS_STMT_START:
        return begins_plainly(stmt->options) ? PGM_START : PGM_START_OTHER;
    case TRANS_STMT_COMMIT:
        return stmt->chain ? PGM_COMMIT_CHAIN : PGM_COMMIT;
    case TRANS_STMT_ROLLBACK:
        return stmt->chain ? PGM_ROLLBACK_CHAIN : PGM_ROLLBACK;
    case TRANS_STMT_SAVEPOINT:
    case TRANS_STMT_RELEASE:
    case TRANS_STMT_ROLLBACK_TO:
        return PGM_INSIDE;
    case TRANS_STMT_PREPARE:
        return PGM_PREPARE_TRANSACTION;
    case TRANS_STMT_COMMIT_PREPARED:
        return PGM_COMMIT_PREPARED;
    case TRANS_STMT_ROLLBACK_PREPARED:
        return PGM_ROLLBACK_PREPARED;
    }
    return PGM_OTHER;
}

static pgm_statement set_kind(const VariableSetStmt* set)
{
    /* SET TRANSACTION …, SET TRANSACTION SNAPSHOT, SET transaction_isolation = … */
    if (set->name != NULL && strncasecmp(set->name, "transaction", 11) == 0)
        return PGM_SET_TRANSACTION;
    return PGM_SET;
}

static bool explains_by_running(const ExplainStmt* explain)
{
    for (int i = 0; i < list_length(explain->options); ++i)
        if (strcmp(((const DefElem*)list_nth(explain->options, i))->defname, "analyze") == 0)
            return true; /* ANALYZE false counts too: it errs on the safe side */
    return false;
}

/* What EXPLAIN, COPY, PREPARE and DECLARE hold. */
static void walk_nested(reading* r, const Node* node)
{
    if (node == NULL) {
        pgm_mark(r, PGM_MARK_UNKNOWN);
        return;
    }
    switch (nodeTag(node)) {
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        pgm_walk_query(r, node);
        return;
    case T_CreateTableAsStmt: {
        const CreateTableAsStmt* create = (const CreateTableAsStmt*)node;
        pgm_mark(r, create->into != NULL && is_temporary(create->into->rel) ? PGM_MARK_DDL_TEMPORARY : PGM_MARK_DDL);
        walk_nested(r, create->query);
        return;
    }
    case T_ExecuteStmt:
        pgm_mark(r, PGM_MARK_EXECUTE);
        pgm_walk_list(r, ((const ExecuteStmt*)node)->params);
        return;
    case T_DeclareCursorStmt:
        walk_nested(r, ((const DeclareCursorStmt*)node)->query);
        return;
    case T_RefreshMatViewStmt:
        pgm_mark(r, PGM_MARK_DDL);
        return;
    default:
        pgm_mark(r, PGM_MARK_UNKNOWN);
    }
}

static void walk_do(reading* r, const DoStmt* stmt)
{
    begin(r, PGM_DO);
    for (int i = 0; i < list_length(stmt->args); ++i) {
        const DefElem* option = list_nth(stmt->args, i);
        if (option->arg != NULL && IsA(option->arg, String))
            pgm_emit(r, (pgm_fact){.kind = PGM_STRING, .text = strVal(option->arg), .name = option->defname});
        else
            pgm_mark(r, PGM_MARK_UNKNOWN);
    }
}

static void walk_copy(reading* r, const CopyStmt* copy)
{
    begin(r, copy->is_from ? PGM_WRITE : PGM_UTILITY);
    if (copy->relation != NULL)
        pgm_emit_relation(r, copy->relation, copy->is_from ? PGM_INSERT : 0);
    if (copy->query != NULL)
        walk_nested(r, copy->query);
    pgm_walk(r, copy->whereClause);
}

static void walk_select_statement(reading* r, const SelectStmt* select)
{
    /* In a set operation INTO stands in its leftmost leaf. */
    const SelectStmt* leaf = select;
    while (leaf->larg != NULL)
        leaf = leaf->larg;
    if (leaf->intoClause != NULL)
        begin(r, is_temporary(leaf->intoClause->rel) ? PGM_INTO_TEMPORARY : PGM_INTO);
    else
        begin(r, PGM_SELECT);
    pgm_walk_query(r, (const Node*)select);
}

static void walk_statement(reading* r, const Node* stmt)
{
    switch (nodeTag(stmt)) {
    case T_SelectStmt:
        walk_select_statement(r, (const SelectStmt*)stmt);
        return;
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        begin(r, PGM_WRITE);
        pgm_walk_query(r, stmt);
        return;
    case T_CopyStmt:
        walk_copy(r, (const CopyStmt*)stmt);
        return;
    case T_TruncateStmt: {
        const TruncateStmt* truncate = (const TruncateStmt*)stmt;
        begin(r, PGM_WRITE);
        for (int i = 0; i < list_length(truncate->relations); ++i)
            pgm_emit_relation(r, list_nth(truncate->relations, i), PGM_TRUNCATE);
        if (truncate->behavior == DROP_CASCADE)
            pgm_mark(r, PGM_MARK_CASCADE);
        return;
    }
    case T_CreateTableAsStmt: {
        const CreateTableAsStmt* create = (const CreateTableAsStmt*)stmt;
        begin(r, create->into != NULL && is_temporary(create->into->rel) ? PGM_DDL_TEMPORARY : PGM_DDL);
        walk_nested(r, create->query);
        return;
    }
    case T_CreateStmt: {
        const CreateStmt* create = (const CreateStmt*)stmt;
        /* a child or a like-minded copy of another table is not this session's alone */
        const bool alone = create->inhRelations == NIL && create->partbound == NULL;
        begin(r, is_temporary(create->relation) && alone ? PGM_DDL_TEMPORARY : PGM_DDL);
        return;
    }
    case T_CreateSeqStmt:
        begin(r, is_temporary(((const CreateSeqStmt*)stmt)->sequence) ? PGM_DDL_TEMPORARY : PGM_DDL);
        return;
    case T_ViewStmt: /* a temporary one too: whether views call user functions is asked of the catalog */
        begin(r, PGM_DDL);
        return;
    case T_TransactionStmt:
        begin(r, transaction_kind((const TransactionStmt*)stmt));
        return;
    case T_VariableSetStmt:
        begin(r, set_kind((const VariableSetStmt*)stmt));
        return;
    case T_DiscardStmt:
    case T_LoadStmt:
    case T_ConstraintsSetStmt: /* runs the deferred triggers, which may set what they like */
        begin(r, PGM_SET);
        return;
    case T_ListenStmt:
    case T_UnlistenStmt:
    case T_NotifyStmt:
    case T_DeallocateStmt:
    case T_ClosePortalStmt:
        begin(r, PGM_SESSION);
        return;
    case T_PrepareStmt:
        begin(r, PGM_SESSION);
        r->planned_only = true; /* nothing runs before its EXECUTE, which is said to do anything */
        walk_nested(r, ((const PrepareStmt*)stmt)->query);
        r->planned_only = false;
        return;
    case T_DeclareCursorStmt:
        begin(r, PGM_SESSION);
        walk_nested(r, ((const DeclareCursorStmt*)stmt)->query);
        return;
    case T_FetchStmt:
        begin(r, PGM_FETCH);
        return;
    case T_ExecuteStmt:
        begin(r, PGM_EXECUTE);
        pgm_walk_list(r, ((const ExecuteStmt*)stmt)->params);
        return;
    case T_CallStmt:
        begin(r, PGM_CALL);
        pgm_walk(r, ((const CallStmt*)stmt)->funccall);
        return;
    case T_DoStmt:
        walk_do(r, (const DoStmt*)stmt);
        return;
    case T_ExplainStmt:
        begin(r, PGM_UTILITY);
        r->planned_only = !explains_by_running((const ExplainStmt*)stmt);
        walk_nested(r, ((const ExplainStmt*)stmt)->query);
        r->planned_only = false;
        return;
    case T_RefreshMatViewStmt:
        begin(r, PGM_REFRESH);
        pgm_emit_relation(r, ((const RefreshMatViewStmt*)stmt)->relation, PGM_TRUNCATE);
        return;
    case T_VariableShowStmt:
    case T_LockStmt:
    case T_CheckPointStmt:
    case T_VacuumStmt: /* VACUUM, VACUUM FULL, ANALYZE: no row changes its value */
    case T_ClusterStmt:
        begin(r, PGM_UTILITY);
        return;
    case T_ReindexStmt: /* runs the functions of expression indexes */
        begin(r, PGM_REINDEX);
        return;
    case T_CreateRoleStmt:
    case T_AlterRoleStmt:
    case T_AlterRoleSetStmt:
    case T_DropRoleStmt:
    case T_GrantRoleStmt:
    case T_ReassignOwnedStmt:
    case T_DropOwnedStmt:
    case T_CreatedbStmt:
    case T_AlterDatabaseStmt:
    case T_AlterDatabaseRefreshCollStmt:
    case T_AlterDatabaseSetStmt:
    case T_DropdbStmt:
    case T_CreateTableSpaceStmt:
    case T_DropTableSpaceStmt:
    case T_AlterTableSpaceOptionsStmt:
    case T_AlterTableMoveAllStmt:
    case T_AlterSystemStmt:
        begin(r, PGM_DDL_CLUSTER);
        return;
    case T_RenameStmt: {
        const ObjectType type = ((const RenameStmt*)stmt)->renameType;
        const bool cluster = type == OBJECT_ROLE || type == OBJECT_DATABASE || type == OBJECT_TABLESPACE;
        begin(r, cluster ? PGM_DDL_CLUSTER : PGM_DDL);
        return;
    }
    case T_AlterOwnerStmt: {
        const ObjectType type = ((const AlterOwnerStmt*)stmt)->objectType;
        begin(r, type == OBJECT_DATABASE || type == OBJECT_TABLESPACE ? PGM_DDL_CLUSTER : PGM_DDL);
        return;
    }
    case T_GrantStmt: {
        const ObjectType type = ((const GrantStmt*)stmt)->objtype;
        begin(r, type == OBJECT_DATABASE || type == OBJECT_TABLESPACE ? PGM_DDL_CLUSTER : PGM_DDL);
        return;
    }
    case T_CommentStmt:
    case T_SecLabelStmt: /* also of roles, databases and tablespaces */
        begin(r, PGM_DDL_CLUSTER);
        return;
    case T_CreateSchemaStmt:
    case T_DropStmt:
    case T_AlterTableStmt:
    case T_AlterObjectSchemaStmt:
    case T_CreateFunctionStmt:
    case T_CreateExtensionStmt:
    case T_AlterExtensionStmt:
    case T_AlterDomainStmt:
    case T_AlterDefaultPrivilegesStmt:
    case T_DefineStmt:
    case T_IndexStmt:
    case T_AlterFunctionStmt:
    case T_RuleStmt:
    case T_CreateDomainStmt:
    case T_AlterSeqStmt:
    case T_CreateTrigStmt:
    case T_CreatePLangStmt:
    case T_CreateConversionStmt:
    case T_CreateCastStmt:
    case T_CreateOpClassStmt:
    case T_CreateOpFamilyStmt:
    case T_AlterOpFamilyStmt:
    case T_AlterObjectDependsStmt:
    case T_AlterOperatorStmt:
    case T_AlterTypeStmt:
    case T_CompositeTypeStmt:
    case T_CreateEnumStmt:
    case T_CreateRangeStmt:
    case T_AlterEnumStmt:
    case T_AlterTSDictionaryStmt:
    case T_AlterTSConfigurationStmt:
    case T_CreateFdwStmt:
    case T_AlterFdwStmt:
    case T_CreateForeignServerStmt:
    case T_AlterForeignServerStmt:
    case T_CreateUserMappingStmt:
    case T_AlterUserMappingStmt:
    case T_DropUserMappingStmt:
    case T_CreateForeignTableStmt:
    case T_ImportForeignSchemaStmt:
    case T_AlterExtensionContentsStmt:
    case T_CreateEventTrigStmt:
    case T_AlterEventTrigStmt:
    case T_ReplicaIdentityStmt:
    case T_CreatePolicyStmt:
    case T_AlterPolicyStmt:
    case T_CreateTransformStmt:
    case T_CreateAmStmt:
    case T_CreatePublicationStmt:
    case T_AlterPublicationStmt:
    case T_CreateStatsStmt:
    case T_AlterCollationStmt:
    case T_AlterStatsStmt:
        begin(r, PGM_DDL);
        return;
    case T_CreateSubscriptionStmt:
    case T_AlterSubscriptionStmt:
    case T_DropSubscriptionStmt:
        begin(r, PGM_DDL_CLUSTER);
        return;
    default:
        begin(r, PGM_OTHER);
    }
}

pgm_outcome pgm_read(const char* sql, void (*emit_to)(void*, const pgm_fact*), void* context)
{
    reading r = {.emit = emit_to, .context = context};
    pgm_outcome outcome = PGM_PARSED;
    MemoryContext memory = pg_query_enter_memory_context();
    PgQueryInternalParsetreeAndError parsed = pg_query_raw_parse(sql);
    if (parsed.error != NULL) {
        outcome = PGM_NOT_PARSED;
        pg_query_free_error(parsed.error);
    } else {
        for (int i = 0; i < list_length(parsed.tree) && !r.too_deep; ++i) {
            const RawStmt* raw = list_nth(parsed.tree, i);
            r.ctes = NULL;
            r.level = 0;
            r.location = raw->stmt_location;
            walk_statement(&r, raw->stmt);
        }
        if (r.too_deep)
            outcome = PGM_TOO_DEEP;
    }
    free(parsed.stderr_buffer);
    pg_query_exit_memory_context(memory);
    return outcome;
}
