"""What a model's SQL may be made of: kinds of nodes of the parser's tree, functions and types."""

from sqlglot import exp


def _node_types(names: str) -> frozenset[type[exp.Expr]]:
    types = {getattr(exp, name, None) for name in names.split()}
    return frozenset(kind for kind in types if kind is not None)


STRUCTURE = _node_types("""
    Select From Where Group Having Order Ordered Limit LimitOptions Offset Fetch Join Alias TableAlias Table Column
    Identifier Literal Star Distinct Tuple Paren Subquery Union Intersect Except With CTE Values Window WindowSpec
    Filter WithinGroup Var GroupingSets Rollup Cube
""")
OPERATORS = _node_types("""
    And Or Not EQ NEQ GT GTE LT LTE Between In Like ILike SimilarTo RegexpLike RegexpILike Is Null Boolean Add Sub Mul
    Div IntDiv Mod Neg DPipe Case If Cast DataType DataTypeParam Interval Exists Any All NullSafeEQ NullSafeNEQ Escape
    JSONExtract JSONExtractScalar JSONBContains JSONBContainsTopKey JSONBContainsAnyTopKeys JSONBContainsAllTopKeys
    JSONPath JSONPathRoot JSONPathKey JSONPathSubscript Bracket AtTimeZone Collate
""")
FUNCTIONS = _node_types("""
    Count Sum Avg Min Max ArrayAgg GroupConcat Stddev StddevSamp StddevPop Variance VariancePop Median PercentileCont
    PercentileDisc Mode Corr LogicalAnd LogicalOr RowNumber Rank DenseRank Ntile NTile Lag Lead FirstValue LastValue
    NthValue PercentRank CumeDist Coalesce Nullif Greatest Least Abs Round Ceil Floor Sqrt Pow Ln Log Exp Sign Trunc
    Lower Upper Trim Substring Length Concat ConcatWs StrPosition Left Right SplitPart Initcap StartsWith Replace
    Reverse TimestampTrunc DateTrunc Extract CurrentDate CurrentTimestamp Date TimeToStr ToChar StrToDate StrToTime
    TsOrDsToDate DateAdd DateSub Age RegexpReplace WidthBucket
""")
ANONYMOUS = frozenset({"age", "date_part", "make_date", "jsonb_array_length", "jsonb_typeof"})
_TYPES = """
    BOOLEAN SMALLINT INT BIGINT DECIMAL DOUBLE FLOAT TEXT VARCHAR CHAR DATE TIME TIMESTAMP TIMESTAMPTZ INTERVAL JSON
    JSONB UUID BIGDECIMAL NVARCHAR
"""
TYPES = frozenset(_TYPES.split())
READ_ROOTS = (exp.Select, exp.Union, exp.Intersect, exp.Except)
WRITE_ROOTS = (exp.Insert, exp.Update)
WRITE_NODES = _node_types("Insert Update Schema Returning OnConflict Default Placeholder")
READ_NODES = STRUCTURE | OPERATORS | FUNCTIONS
