"""The methods, one line each. A line is all that an algorithm needs beside its file.

From it follow `tabular_rl.NAME` and `tabular_rl.__all__`, the command line with its options and its help, the tables of
the documents, and the tests that every method must pass. The order is that of the lists on screens. `NAME as NAME` says
to type checkers that a name is public.
"""

# ruff: noqa: I001
# fmt: off

# Methods that plan with the model.
from tabular_rl.methods.planning.auto import auto as auto
from tabular_rl.methods.planning.value_iteration import value_iteration as value_iteration
from tabular_rl.methods.planning.policy_iteration import policy_iteration as policy_iteration
from tabular_rl.methods.planning.modified_policy_iteration import modified_policy_iteration as modified_policy_iteration
from tabular_rl.methods.planning.ordered_gauss_seidel import ordered_gauss_seidel as ordered_gauss_seidel
from tabular_rl.methods.planning.action_elimination import action_elimination as action_elimination
from tabular_rl.methods.planning.backward_induction import backward_induction as backward_induction
from tabular_rl.methods.exact.linear_programming import linear_programming as linear_programming
from tabular_rl.methods.exact.rational import rational as rational
from tabular_rl.methods.planning.auto import auto_evaluation as auto_evaluation
from tabular_rl.methods.planning.policy_evaluation import policy_evaluation as policy_evaluation
from tabular_rl.methods.exact.linear_solve import linear_solve as linear_solve
from tabular_rl.methods.exact.rational import rational_evaluation as rational_evaluation

# Methods that learn from samples.
from tabular_rl.methods.learning.q_learning import q_learning as q_learning
from tabular_rl.methods.learning.double_q_learning import double_q_learning as double_q_learning
from tabular_rl.methods.learning.sarsa import sarsa as sarsa
from tabular_rl.methods.learning.expected_sarsa import expected_sarsa as expected_sarsa
from tabular_rl.methods.learning.monte_carlo_control import monte_carlo_control as monte_carlo_control
from tabular_rl.methods.learning.dyna_q import dyna_q as dyna_q
from tabular_rl.methods.learning.prioritized_sweeping import prioritized_sweeping as prioritized_sweeping
from tabular_rl.methods.learning.td0 import td0 as td0
from tabular_rl.methods.learning.monte_carlo import monte_carlo as monte_carlo
from tabular_rl.methods.learning.batch_td import batch_td as batch_td
from tabular_rl.methods.learning.batch_td import certainty_equivalence as certainty_equivalence
from tabular_rl.methods.learning.sarsa import sarsa_evaluation as sarsa_evaluation
from tabular_rl.methods.learning.expected_sarsa import q_evaluation as q_evaluation
from tabular_rl.methods.learning.linear_q import linear_q_learning as linear_q_learning
from tabular_rl.methods.learning.linear_td import linear_td as linear_td
from tabular_rl.methods.learning.linear_q import linear_q_evaluation as linear_q_evaluation
from tabular_rl.methods.learning.n_step_td import n_step_td as n_step_td
from tabular_rl.methods.learning.td_lambda import td_lambda as td_lambda
from tabular_rl.methods.learning.sarsa_lambda import sarsa_lambda as sarsa_lambda
from tabular_rl.methods.learning.sarsa_lambda import sarsa_lambda_evaluation as sarsa_lambda_evaluation
from tabular_rl.methods.learning.tree_backup import tree_backup as tree_backup
from tabular_rl.methods.learning.q_lambda import q_lambda as q_lambda
from tabular_rl.methods.gradient.reinforce import reinforce as reinforce
from tabular_rl.methods.gradient.actor_critic import actor_critic as actor_critic
from tabular_rl.methods.gradient.actor_critic import advantage_actor_critic as advantage_actor_critic
